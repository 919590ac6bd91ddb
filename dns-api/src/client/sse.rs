//! Server-sent events, as they come over the wire.

/// Most octets of one event: far more than a server of ours sends.
const EVENT_OCTETS_MAX: usize = 64 << 20;

/// One event.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Message {
    /// Its name; empty if it has none.
    pub event: String,
    /// Its data.
    pub data: String,
}

/// Takes a stream apart, in whatever pieces it arrives
/// ([HTML, section 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation)).
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// What has arrived and is no whole line yet.
    pending: Vec<u8>,
    /// How much of it has no line end.
    searched: usize,
    /// The last line has ended with a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    event: String,
    data: String,
    has_data: bool,
    /// The newest id, also of events without data.
    id: Option<String>,
}

/// The stream is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum ParseError {
    #[error("the stream of events is not UTF-8")]
    Text,
    #[error("an event has more than {EVENT_OCTETS_MAX} octets")]
    TooLarge,
}

impl Parser {
    /// Takes what has arrived.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), ParseError> {
        if self.pending.len() + self.data.len() + octets.len() > EVENT_OCTETS_MAX {
            return Err(ParseError::TooLarge);
        }
        self.pending.extend_from_slice(octets);
        Ok(())
    }

    /// The next event that has arrived as a whole.
    pub fn next(&mut self) -> Result<Option<Message>, ParseError> {
        while let Some(line) = self.line()? {
            if line.is_empty() {
                let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(Message { event, data }));
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut self.event),
                "data" => {
                    if self.has_data {
                        self.data.push('\n');
                    }
                    self.data.push_str(value);
                    self.has_data = true;
                }
                "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
                // Comments begin with the colon; `retry` is for clients that decide when to come back.
                _ => {}
            }
        }
        Ok(None)
    }

    /// The id of the newest event, whether it had data or not.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn line(&mut self) -> Result<Option<String>, ParseError> {
        if self.after_return && !self.pending.is_empty() {
            self.after_return = false;
            if self.pending[0] == b'\n' {
                self.pending.remove(0);
            }
        }
        let end = self.pending[self.searched..].iter().position(|octet| matches!(octet, b'\r' | b'\n'));
        let Some(end) = end.map(|end| self.searched + end) else {
            self.searched = self.pending.len();
            return Ok(None);
        };
        self.after_return = self.pending[end] == b'\r';
        let line = str::from_utf8(&self.pending[..end]).map_err(|_| ParseError::Text)?.to_owned();
        self.pending.drain(..=end);
        self.searched = 0;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> (Vec<(String, String)>, Option<String>) {
        let mut parser = Parser::default();
        let mut messages = Vec::new();
        for piece in pieces {
            parser.push(piece).unwrap();
            while let Some(Message { event, data }) = parser.next().unwrap() {
                messages.push((event, data));
            }
        }
        (messages, parser.id().map(str::to_owned))
    }

    #[test]
    fn events_are_read_in_whatever_pieces_they_come() {
        let text = b": hello\n\nid: 1\n\nid: 2\nevent: changed\ndata: {\"a\":\ndata: 1}\n\ndata:x\r\n\r\nid: 3\rdata\r\rid: 4\n";
        let expected = (
            vec![
                ("changed".to_owned(), "{\"a\":\n1}".to_owned()),
                (String::new(), "x".to_owned()),
                (String::new(), String::new()),
            ],
            Some("4".to_owned()),
        );
        assert_eq!(all(&[text]), expected);
        for at in 0..text.len() {
            assert_eq!(all(&[&text[..at], &text[at..]]), expected, "cut at {at}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(all(&single), expected);
    }

    #[test]
    fn an_event_without_an_end_is_none() {
        assert_eq!(all(&[b"id: 7\nevent: changed\ndata: {}\n"]), (vec![], Some("7".to_owned())));
    }

    #[test]
    fn streams_that_are_none_are_refused() {
        let mut parser = Parser::default();
        parser.push(b"data: \xFF\n\n").unwrap();
        assert_eq!(parser.next(), Err(ParseError::Text));
        let mut parser = Parser::default();
        let piece = vec![b'x'; 1 << 20];
        let refused = (0..100).find_map(|_| parser.push(&piece).err());
        assert_eq!(refused, Some(ParseError::TooLarge));
    }
}
