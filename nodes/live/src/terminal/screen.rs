//! What a terminal shows: whole lines, and under them the one that is being typed, which no other is ever written into.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use super::editor::Editor;

/// How often, and how long apart, it is tried to have a terminal to oneself that somebody else may be stuck in.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(10);

/// Where a terminal shows things. Clones are the same.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<Shown>>);

struct Shown {
    to: Box<dyn Write + Send>,
    typing: Typing,
}

/// How what is typed comes.
enum Typing {
    /// As lines: whoever types sees to what they look like.
    Lines,
    /// Key by key.
    Keys { editor: Editor, before: Termios },
}

/// How many columns there are where the system does not know.
const COLUMNS: u16 = 80;

impl Screen {
    /// The stdout of this process. Where it and stdin are a terminal, that is told to pass on each key, until it is
    /// [given back](Screen::give_back).
    ///
    /// # Errors
    ///
    /// The system does not let it be had, or set so.
    pub fn stdio() -> io::Result<Self> {
        // Not through the lock that others of this process may hold for as long as they live.
        let screen = Screen::lines(File::from(stdout().try_clone_to_owned()?));
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            let before = tcgetattr(stdin())?;
            key_by_key(&before)?;
            screen.shown().typing = Typing::Keys {
                editor: Editor::default(),
                before,
            };
        }
        Ok(screen)
    }

    /// Anywhere, a line after the other.
    pub fn lines(to: impl Write + Send + 'static) -> Self {
        Screen(Arc::new(Mutex::new(Shown {
            to: Box::new(to),
            typing: Typing::Lines,
        })))
    }

    /// Shows a line. What a terminal would take for a command is shown as what it is, whoever has sent it.
    pub fn show(&self, text: &str) {
        let mut line = String::with_capacity(text.len() + 1);
        for c in text.chars() {
            match c.is_control() {
                true => line.extend(c.escape_default()),
                false => line.push(c),
            }
        }
        line.push('\n');
        self.shown().write(line.as_bytes());
    }

    /// What is written here is shown as it is: a log, of whole lines.
    pub fn log(&self) -> impl Write + Send + use<> {
        struct Log(Screen);
        impl Write for Log {
            fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
                self.0.shown().write(lines);
                Ok(lines.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        Log(self.clone())
    }

    /// Sets the terminal back to what it was. What is shown from then on is lines. A terminal that takes nothing is left as it is: whoever
    /// ends does not wait for its reader.
    pub fn give_back(&self) {
        let Some(mut shown) = self.shown_soon() else {
            return;
        };
        if let Typing::Keys { before, .. } = std::mem::replace(&mut shown.typing, Typing::Lines) {
            let _ = shown.to.write_all(b"\r\x1b[K").and_then(|()| shown.to.flush());
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(stdin(), OptionalActions::Drain, &before);
        }
    }

    /// Takes what was typed, key by key; `None` where lines come whole. The lines that were entered.
    pub(super) fn typed(&self, bytes: &[u8]) -> Option<Vec<String>> {
        let mut shown = self.shown();
        let mut entered = Vec::new();
        for byte in bytes {
            let Typing::Keys { editor, .. } = &mut shown.typing else {
                return None;
            };
            if let Some(line) = editor.feed(*byte) {
                shown.write(format!("> {line}\n").as_bytes());
                entered.push(line);
            }
        }
        shown.write(b"");
        Some(entered)
    }

    /// Has the terminal pass on each key again, after somebody else has had it.
    pub(super) fn take_again(&self) {
        let mut shown = self.shown();
        if let Typing::Keys { before, .. } = &shown.typing {
            // It may be gone by now, which is found out by reading from it.
            let _ = key_by_key(before);
            shown.write(b"");
        }
    }

    /// The same, if nobody is in the middle of writing for long.
    fn shown_soon(&self) -> Option<MutexGuard<'_, Shown>> {
        for _ in 0..TRIES {
            match self.0.try_lock() {
                Ok(shown) => return Some(shown),
                Err(TryLockError::Poisoned(shown)) => return Some(shown.into_inner()),
                Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN),
            }
        }
        None
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// Writes whole lines above the one that is being typed, all in one piece. That nobody sees them is no reason to stop.
    fn write(&mut self, lines: &[u8]) {
        let mut piece = Vec::with_capacity(lines.len() + 80);
        if let Typing::Keys { editor, .. } = &self.typing {
            let columns = tcgetwinsize(stdout()).map_or(COLUMNS, |size| size.ws_col);
            let columns = if columns == 0 { COLUMNS } else { columns };
            piece.extend_from_slice(b"\r\x1b[K");
            piece.extend_from_slice(lines);
            piece.extend_from_slice(editor.shown(usize::from(columns)).as_bytes());
        } else {
            piece.extend_from_slice(lines);
        }
        let _ = self.to.write_all(&piece).and_then(|()| self.to.flush());
    }
}

/// Has the terminal pass on each key, and show none by itself. Keys that are signals still are.
fn key_by_key(before: &Termios) -> io::Result<()> {
    let mut keys = before.clone();
    keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    keys.special_codes[SpecialCodeIndex::VMIN] = 1;
    keys.special_codes[SpecialCodeIndex::VTIME] = 0;
    Ok(tcsetattr(stdin(), OptionalActions::Now, &keys)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written, for whoever looks.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_shown_whole_and_what_would_command_a_terminal_is_shown_as_what_it_is() {
        let paper = Paper::default();
        let screen = Screen::lines(paper.clone());
        screen.show("bob: \x1b[2Jhello\nalice: grüße\u{9b}1m");
        screen.log().write_all(b"a log\n").unwrap();
        let written = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written, "bob: \\u{1b}[2Jhello\\nalice: grüße\\u{9b}1m\na log\n");
        assert_eq!(screen.typed(b"x"), None);
    }
}
