//! Lines that go to a file or to standard output.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use dns_backend::log::Entry;
use tracing::{info, warn};

use crate::batch::Batch;
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
    /// The last write failed, which has been reported.
    failing: bool,
}

impl Lines {
    pub(crate) fn to_stdout(write_line: WriteLine) -> io::Result<Self> {
        // A descriptor of our own: no lock that others may hold, and no buffer that cuts lines where it ends.
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self::new(write_line, out, None))
    }

    pub(crate) fn to_file(write_line: WriteLine, path: PathBuf) -> io::Result<Self> {
        let out = open(&path)?;
        Ok(Self::new(write_line, out, Some(path)))
    }

    fn new(write_line: WriteLine, out: File, path: Option<PathBuf>) -> Self {
        Self { write_line, out, path, batch: Batch::default(), torn: false, failing: false }
    }
}

impl Sink for Lines {
    fn take(&mut self, entry: &Entry<'_>, tally: &Tally) {
        // Lines that are cut off are ended, so that those after them can be read.
        let mend = std::mem::take(&mut self.torn);
        self.batch.add(|out| {
            if mend {
                out.push(b'\n');
            }
            (self.write_line)(entry, out);
        });
        if self.batch.is_full() {
            self.flush(tally);
        }
    }

    fn flush(&mut self, tally: &Tally) {
        if self.batch.is_empty() {
            return;
        }
        let sent = self.batch.send(&mut self.out);
        tally.add(sent.whole, sent.lost);
        self.torn |= sent.torn;
        match sent.result {
            Err(error) if !self.failing => warn!(%error, "the query log cannot be written"),
            Ok(()) if self.failing => info!("the query log is written again"),
            _ => {}
        }
        self.failing = sent.lost > 0;
    }

    fn reopen(&mut self) {
        let Some(path) = &self.path else {
            return;
        };
        match open(path) {
            Ok(out) => (self.out, self.torn) = (out, false),
            Err(error) => warn!(%error, "the query log stays with its old file"),
        }
    }
}

/// Opens for appending. Who asked what is not for everybody's eyes, so a new file is for its owner and group only.
fn open(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
    opened.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}
