//! Lines that go to a file or to standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use dns_backend::log::Entry;
use tracing::warn;

use crate::batch::Batch;
use crate::seldom::Seldom;
use crate::service::{Sink, Tally};

/// Appends an entry to a batch of lines; `false` if it cannot be said in this form.
pub(crate) type WriteLine = fn(&Entry<'_>, &mut Vec<u8>);

/// Writes lines, and goes on after errors: a disk that was full may have room again.
pub(crate) struct Lines {
    write_line: WriteLine,
    out: File,
    /// Of the file that rotation may have moved away; `None` for standard output.
    path: Option<PathBuf>,
    batch: Batch,
    /// The last octet that was written was not the end of a line.
    torn: bool,
    complaint: Seldom,
}

impl Lines {
    pub(crate) fn to_stdout(write_line: WriteLine) -> io::Result<Self> {
        // A descriptor of our own: no lock that others may hold, and no buffer that cuts lines where it ends.
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self::new(write_line, out, None))
    }

    pub(crate) fn to_file(write_line: WriteLine, path: PathBuf) -> io::Result<Self> {
        let (out, torn) = open(&path)?;
        Ok(Self { torn, ..Self::new(write_line, out, Some(path)) })
    }

    fn new(write_line: WriteLine, out: File, path: Option<PathBuf>) -> Self {
        Self { write_line, out, path, batch: Batch::default(), torn: false, complaint: Seldom::default() }
    }

    /// Ends a line that was cut off, so that those after it can be read.
    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.out.write_all(b"\n")?;
            self.torn = false;
        }
        Ok(())
    }
}

impl Sink for Lines {
    fn take(&mut self, entry: &Entry<'_>, tally: &Tally) {
        self.batch.add(|out| (self.write_line)(entry, out));
        if self.batch.is_full() {
            self.flush(tally);
        }
    }

    fn flush(&mut self, tally: &Tally) {
        if self.batch.is_empty() {
            return;
        }
        let result = self.mend().and_then(|()| {
            let sent = self.batch.send(&mut self.out);
            tally.add(sent.whole, sent.lost);
            self.torn = sent.torn;
            sent.result
        });
        // Of what has just been sent, nothing is left.
        tally.add(0, self.batch.forget());
        if let Err(error) = result
            && self.complaint.is_due(Instant::now())
        {
            warn!(%error, "the query log cannot be written");
        }
    }

    fn reopen(&mut self) {
        let Some(path) = &self.path else {
            return;
        };
        match open(path) {
            Ok(opened) => (self.out, self.torn) = opened,
            Err(error) => warn!(%error, "the query log stays with its old file"),
        }
    }
}

/// Opens for appending; tells also whether the file ends within a line, as the end of a process may have left it.
///
/// Who asked what is not for everybody's eyes, so a new file is for its owner and group only. A pipe that nobody reads must not
/// keep us waiting: opening it fails, and what it does not take is dropped.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let place = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK);
    let out = options.open(path).map_err(place)?;
    let metadata = out.metadata().map_err(place)?;
    let torn = metadata.is_file() && metadata.len() > 0 && {
        let mut last = [0];
        // A file that we may not read is one of which we do not know.
        let read = File::open(path).and_then(|file| file.read_exact_at(&mut last, metadata.len() - 1));
        read.is_ok() && last != *b"\n"
    };
    Ok((out, torn))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use dns_backend::Transport;

    use super::*;
    use crate::text::write_text;

    #[test]
    fn a_line_that_was_cut_off_spoils_no_other() {
        let (mut reader, out) = UnixStream::pair().unwrap();
        out.set_nonblocking(true).unwrap();
        reader.set_nonblocking(true).unwrap();
        let mut lines = Lines::new(write_text, File::from(OwnedFd::from(out)), None);
        let rule = "r".repeat(255);
        let entry = Entry {
            time: Duration::ZERO,
            transport: Transport::Udp,
            client: ([192, 0, 2, 1], 53).into(),
            listener: 0,
            view: None,
            rule: Some(&rule),
            request: &[],
            reply: None,
        };
        let tally = Tally::default();
        let (mut text, mut recorded) = (Vec::new(), 0);
        // Until it is full, and then with room again, several times.
        for _ in 0..3 {
            let dropped = tally.dropped();
            while tally.dropped() == dropped {
                lines.take(&entry, &tally);
                recorded += 1;
            }
            lines.take(&entry, &tally);
            lines.flush(&tally);
            recorded += 1;
            // Ends where nothing is left to read for now.
            let _ = reader.read_to_end(&mut text);
        }
        lines.take(&entry, &tally);
        lines.flush(&tally);
        drop(lines);
        reader.read_to_end(&mut text).unwrap();

        let mut whole = Vec::new();
        write_text(&entry, &mut whole);
        let text = String::from_utf8(text).unwrap();
        let whole = String::from_utf8(whole).unwrap();
        let count = text.lines().filter(|line| *line == whole.trim_end()).count() as u64;
        assert_eq!((count, tally.written() + tally.dropped()), (tally.written(), recorded + 1));
        assert!(text.lines().count() as u64 <= count + 3, "each time one line is cut at most");
        assert!(text.ends_with(&whole));
    }
}
