//! Frame Streams: how dnstap's messages follow one another on a socket.
//!
//! Every frame is a length of 32 bits and so many octets. The length 0 announces a control frame: one more length, a type of
//! 32 bits, and fields. Over a socket that goes both ways the sender says READY, the receiver ACCEPT, the sender START;
//! at the end come STOP and FINISH. All numbers are in network order.

use std::io::{self, ErrorKind, Read, Write};

use thiserror::Error;

/// What dnstap calls its content.
pub const CONTENT_TYPE: &[u8] = b"protobuf:dnstap.Dnstap";
/// Most octets of a control frame, its type included.
pub const CONTROL_OCTETS_MAX: usize = 512;

const FIELD_CONTENT_TYPE: u32 = 1;

/// What a control frame is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Control {
    /// The receiver takes the content.
    Accept = 1,
    /// Data frames follow.
    Start = 2,
    /// No more data frames follow.
    Stop = 3,
    /// The sender has content to offer.
    Ready = 4,
    /// The receiver has read everything.
    Finish = 5,
}

/// Why a control frame cannot be read, or is not what was due.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum FrameError {
    /// A data frame where only a control frame makes sense.
    #[error("a data frame of {0} octets where a control frame is due")]
    Data(u32),
    /// Longer than any control frame may be.
    #[error("a control frame of {0} octets, at most 512 are allowed")]
    TooLong(u32),
    /// Ends within its type or within a field.
    #[error("the control frame ends too early")]
    Truncated,
    /// A type that is not in the protocol.
    #[error("control frame type {0} is unknown")]
    UnknownControl(u32),
    /// A field that is not in the protocol.
    #[error("control field type {0} is unknown")]
    UnknownField(u32),
    /// Another control frame than the one that is due.
    #[error("a control frame {got:?} where {due:?} is due")]
    Unexpected {
        /// What came.
        got: Control,
        /// What should have come.
        due: Control,
    },
    /// The receiver takes something else than dnstap.
    #[error("the receiver does not take dnstap")]
    ContentType,
}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        Self::new(ErrorKind::InvalidData, error)
    }
}

/// Appends a control frame; READY, ACCEPT and START tell the content type.
pub fn write_control(control: Control, out: &mut Vec<u8>) {
    let content_type = match control {
        Control::Ready | Control::Accept | Control::Start => Some(CONTENT_TYPE),
        Control::Stop | Control::Finish => None,
    };
    let octets = 4 + content_type.map_or(0, |content| 8 + content.len());
    for number in [0, octets as u32, control as u32] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    if let Some(content) = content_type {
        out.extend_from_slice(&FIELD_CONTENT_TYPE.to_be_bytes());
        out.extend_from_slice(&(content.len() as u32).to_be_bytes());
        out.extend_from_slice(content);
    }
}

/// Reads what follows the length of a control frame. Tells also whether dnstap is among the content types; a frame without
/// any is for every content.
pub fn read_control(frame: &[u8]) -> Result<(Control, bool), FrameError> {
    let (number, mut fields) = split_number(frame)?;
    let control = match number {
        1 => Control::Accept,
        2 => Control::Start,
        3 => Control::Stop,
        4 => Control::Ready,
        5 => Control::Finish,
        unknown => return Err(FrameError::UnknownControl(unknown)),
    };
    let mut dnstap = fields.is_empty();
    while !fields.is_empty() {
        let (field, rest) = split_number(fields)?;
        if field != FIELD_CONTENT_TYPE {
            return Err(FrameError::UnknownField(field));
        }
        let (octets, rest) = split_number(rest)?;
        let (content, rest) = rest.split_at_checked(octets as usize).ok_or(FrameError::Truncated)?;
        dnstap |= content == CONTENT_TYPE;
        fields = rest;
    }
    Ok((control, dnstap))
}

fn split_number(octets: &[u8]) -> Result<(u32, &[u8]), FrameError> {
    let (number, rest) = octets.split_first_chunk().ok_or(FrameError::Truncated)?;
    Ok((u32::from_be_bytes(*number), rest))
}

/// Waits for this control frame.
///
/// # Errors
/// Those of the stream, and [`FrameError`]s as `InvalidData`.
pub fn expect_control(due: Control, stream: &mut impl Read) -> io::Result<()> {
    let mut number = [0; 4];
    let mut next =
        |stream: &mut dyn Read| stream.read_exact(&mut number).map(|()| u32::from_be_bytes(number));
    match next(stream)? {
        0 => {}
        octets => return Err(FrameError::Data(octets).into()),
    }
    let octets = next(stream)?;
    let mut frame = [0; CONTROL_OCTETS_MAX];
    let frame = frame.get_mut(..octets as usize).ok_or(FrameError::TooLong(octets))?;
    stream.read_exact(frame)?;
    match read_control(frame)? {
        (got, _) if got != due => Err(FrameError::Unexpected { got, due }.into()),
        (_, false) => Err(FrameError::ContentType.into()),
        (_, true) => Ok(()),
    }
}

/// Opens the stream as its sender: READY, ACCEPT, START.
///
/// # Errors
/// As [`expect_control`].
pub fn open(stream: &mut (impl Read + Write)) -> io::Result<()> {
    send_control(Control::Ready, stream)?;
    expect_control(Control::Accept, stream)?;
    send_control(Control::Start, stream)
}

/// Ends the stream as its sender: STOP, FINISH. Once this returns, the receiver has read all that was sent.
///
/// # Errors
/// As [`expect_control`].
pub fn close(stream: &mut (impl Read + Write)) -> io::Result<()> {
    send_control(Control::Stop, stream)?;
    expect_control(Control::Finish, stream)
}

fn send_control(control: Control, stream: &mut impl Write) -> io::Result<()> {
    let mut frame = Vec::new();
    write_control(control, &mut frame);
    stream.write_all(&frame)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn control(control: Control) -> Vec<u8> {
        let mut frame = Vec::new();
        write_control(control, &mut frame);
        frame
    }

    #[test]
    fn control_frames_look_as_the_protocol_says() {
        assert_eq!(control(Control::Stop), b"\0\0\0\0\0\0\0\x04\0\0\0\x03");
        assert_eq!(
            control(Control::Ready),
            b"\0\0\0\0\0\0\0\x22\0\0\0\x04\0\0\0\x01\0\0\0\x16protobuf:dnstap.Dnstap"
        );
        for kind in [Control::Accept, Control::Start, Control::Stop, Control::Ready, Control::Finish] {
            assert_eq!(read_control(&control(kind)[8..]), Ok((kind, true)));
        }
    }

    #[test]
    fn what_is_wrong_with_a_control_frame_is_named() {
        let cases: [(&[u8], FrameError); 6] = [
            (b"", FrameError::Truncated),
            (b"\0\0\0", FrameError::Truncated),
            (b"\0\0\0\x06", FrameError::UnknownControl(6)),
            (b"\0\0\0\x01\0\0\0\x02\0\0\0\0", FrameError::UnknownField(2)),
            (b"\0\0\0\x01\0\0\0\x01\0\0\0\x05abcd", FrameError::Truncated),
            (b"\0\0\0\x01\0\0\0\x01\xff\xff\xff\xffabcd", FrameError::Truncated),
        ];
        for (frame, error) in cases {
            assert_eq!(read_control(frame), Err(error), "{frame:x?}");
        }
        let other = b"\0\0\0\x01\0\0\0\x01\0\0\0\x01x";
        assert_eq!(read_control(other), Ok((Control::Accept, false)));
        let both = [&other[..], &control(Control::Accept)[12..]].concat();
        assert_eq!(read_control(&both), Ok((Control::Accept, true)));
    }

    #[test]
    fn only_what_is_due_opens_a_stream() {
        let fault = |octets: &[u8]| {
            let error = expect_control(Control::Accept, &mut Cursor::new(octets)).unwrap_err();
            error.to_string()
        };
        assert_eq!(fault(b"\0\0\0\x05"), "a data frame of 5 octets where a control frame is due");
        assert_eq!(fault(b"\0\0\0\0\0\0\x02\x01"), "a control frame of 513 octets, at most 512 are allowed");
        assert_eq!(fault(&control(Control::Finish)), "a control frame Finish where Accept is due");
        let other = b"\0\0\0\0\0\0\0\x0d\0\0\0\x01\0\0\0\x01\0\0\0\x01x";
        assert_eq!(fault(other), "the receiver does not take dnstap");
        assert!(expect_control(Control::Accept, &mut Cursor::new(&control(Control::Accept))).is_ok());
    }
}
