//! The terminal at a node: what is typed is asked, what it answers and claims is shown, and neither gets into the other.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::process::{Folder, Node, PATIENCE, address, squall};

/// A node with a terminal, or with pipes in its place.
struct Typist {
    node: Node,
    /// `None` once what is typed has ended.
    keys: Option<ChildStdin>,
    shown: Receiver<String>,
    read: String,
}

impl Typist {
    fn at(mut command: Command) -> Self {
        command.args(["--terminal", "always"]).stdin(Stdio::piped());
        let mut node = Node::spawn(command);
        let keys = node.child().stdin.take();
        let stdout = node.child().stdout.take().expect("a pipe");
        Typist {
            node,
            keys,
            shown: lines(stdout),
            read: String::new(),
        }
    }

    fn types(&mut self, line: &str) {
        let keys = self.keys.as_mut().expect("it is typed at");
        writeln!(keys, "{line}").expect("the node reads");
    }

    /// Waits for a line, all of it; there may be others before.
    fn shows(&mut self, line: &str) {
        self.shows_such(line, |next| next == line);
    }

    /// Waits for a line that begins so.
    fn shows_beginning(&mut self, beginning: &str) {
        self.shows_such(beginning, |next| next.starts_with(beginning));
    }

    fn shows_such(&mut self, such: &str, is_such: impl Fn(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let next = self
                .shown
                .recv_timeout(until.saturating_duration_since(Instant::now()));
            let Ok(next) = next else {
                panic!("`{such}` is never shown, but\n{}", self.read)
            };
            self.read += &next;
            self.read.push('\n');
            if is_such(&next) {
                return;
            }
        }
    }

    fn stop(self) {
        self.node.signal("INT");
        assert_eq!(self.node.end().0.code(), Some(0));
    }
}

/// Lines, as they come.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (line, shown) = channel();
    thread::spawn(move || {
        for next in BufReader::new(from).lines().map_while(Result::ok) {
            if line.send(next).is_err() {
                return;
            }
        }
    });
    shown
}

/// The blocks of commands and of typed lines of the walk-through on leader's page.
fn walk_through() -> (Vec<String>, Vec<String>) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nodes/src/leader/mod.rs");
    let page = std::fs::read_to_string(page).expect("leader has a page");
    let lines: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let page = lines.join("\n");
    let (_, section) = page.split_once("\n # Run it live\n").expect("a walk-through");
    let (section, _) = section.split_once("\n # ").expect("its end");
    let block = |kind: &str| -> Vec<String> {
        let (_, block) = section.split_once(&format!("```{kind}\n")).expect("a block");
        let (block, _) = block.split_once("```").expect("its end");
        let lines = block.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    };
    (block("sh"), block("text"))
}

/// A line of the walk-through, at an address that nobody else has.
fn program(line: &str, at: &str, folder: &Folder) -> Command {
    let mut words = line
        .split(' ')
        .map(|word| if word == "127.0.0.1" { at } else { word });
    assert_eq!(words.next(), Some("squall"), "{line}");
    let words: Vec<&str> = words.collect();
    let mut command = squall(&words);
    command.args(["--address", at]).current_dir(folder.at("."));
    command
}

#[test]
fn the_three_terminals_of_leaders_page_do_what_it_says() {
    let (commands, typed) = walk_through();
    let [bob, carol, alice] = &commands[..] else {
        panic!("three terminals")
    };
    let [calc, chat, status] = &typed[..] else {
        panic!("three questions")
    };
    let (folder, at) = (Folder::new(), address());
    let start = |line: &str| Typist::at(program(line, &at, &folder));
    let mut b = start(bob);
    b.shows("this node runs");
    let mut c = start(carol);
    c.shows("this node runs");
    let mut a = start(alice);
    a.shows("this node leads");
    b.shows_beginning("number 3 leads: ");
    c.shows_beginning("number 3 leads: ");
    for line in [calc, chat, status] {
        b.types(line);
    }
    a.shows("bob: hello");
    c.shows("bob: hello");
    b.shows(&format!("{calc}: 0.75"));
    a.stop();
    c.shows("this node leads");
    b.shows_beginning("number 2 leads: ");
    b.types("calc 2*3");
    b.shows("calc 2*3: 6");
    for told in [
        "chat hello: said",
        "status: this node follows number 3; number 1 of ",
    ] {
        assert!(b.read.contains(told), "{told}: {}", b.read);
    }
    let mut again = start(alice);
    again.shows("this node leads");
    b.shows_beginning("number 3 leads: ");
}

#[test]
fn by_the_rules_of_the_source_somebody_has_to_accept() {
    let (commands, _) = walk_through();
    let (folder, at) = (Folder::new(), address());
    let start = |line: &String| {
        let mut command = program(line, &at, &folder);
        command.args(["--rules", "Original"]);
        Typist::at(command)
    };
    let mut b = start(&commands[0]);
    b.shows("this node runs");
    b.types("calc 2*3");
    b.shows("calc 2*3: nobody leads at the moment");
    let mut c = start(&commands[1]);
    c.shows("this node runs");
    let a = start(&commands[2]);
    b.shows_beginning("this node takes number 3, ");
    c.shows_beginning("this node takes number 3, ");
    a.stop();
    c.types("accept");
    c.shows("accept: there is nothing to accept: the role is not offered to this node");
    // Until the heartbeat is overdue at both of them, what is asked is lost on its way.
    let until = Instant::now() + PATIENCE;
    while !c
        .shown
        .try_iter()
        .any(|line| line == "this node may lead, if you `accept`")
    {
        assert!(Instant::now() < until, "{}", b.read);
        b.types("calc 2*3");
        b.types("status");
        b.shows_beginning("status: this node follows number ");
    }
    b.types("accept");
    b.shows("accept: there is nothing to accept: the role is not offered to this node");
    c.types("accept");
    c.shows("accept: this node leads now");
    b.types("calc 2*3");
    b.shows("calc 2*3: 6");
}

#[test]
fn the_end_of_what_is_typed_stops_nothing_and_quit_stops_the_node_in_order() {
    let start = || {
        let at = address();
        Typist::at(squall(&["node", "hac", "server", "7101", "--address", &at]))
    };
    let mut quits = start();
    quits.types("sttus");
    quits.shows("`sttus` is no command of hac; `status` is");
    quits.types("quit");
    assert_eq!(quits.node.end().0.code(), Some(0));
    let mut left = start();
    left.types("help");
    left.shows("what a node of hac can be asked, a line each:");
    left.types("status");
    drop(left.keys.take());
    // It was asked before the end, and is answered after it; what it claims is shown still.
    let until = Instant::now() + PATIENCE;
    while !(left.read.contains("status: this node serves, as number 1")
        && left.read.contains("is number 1 from now on"))
    {
        let line = left
            .shown
            .recv_timeout(until.saturating_duration_since(Instant::now()));
        left.read += &line.unwrap_or_else(|_| panic!("{}", left.read));
    }
    assert!(
        left.node
            .child()
            .try_wait()
            .expect("it can be waited for")
            .is_none()
    );
    left.stop();
}

/// A node at a terminal of its own, which passes on each key.
struct AtTerminal {
    child: Child,
    /// Where the person sits.
    keys: File,
    shown: Receiver<String>,
    read: String,
}

impl AtTerminal {
    fn start(words: &[&str]) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&controller).expect("it can be had");
        unlockpt(&controller).expect("it can be had");
        let name = ptsname(&controller, Vec::new()).expect("it has a name");
        let name = name.to_str().expect("UTF-8").to_owned();
        let side = || {
            let side = File::options().read(true).write(true).open(&name);
            Stdio::from(side.expect("its other side"))
        };
        let mut command = squall(words);
        command.stdin(side()).stdout(side()).stderr(side());
        let child = command.spawn().expect("the program starts");
        drop(command);
        let keys = File::from(controller);
        let mut screen = keys.try_clone().expect("the same");
        let (more, shown) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            // A terminal that nobody has open any more is an error.
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                if more
                    .send(String::from_utf8_lossy(&buffer[..read]).into_owned())
                    .is_err()
                {
                    return;
                }
            }
        });
        AtTerminal {
            child,
            keys,
            shown,
            read: String::new(),
        }
    }

    fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).expect("it is read");
    }

    /// Waits until something is on the screen, or was.
    fn until_shown(&mut self, part: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.read.contains(part) {
            let next = self
                .shown
                .recv_timeout(until.saturating_duration_since(Instant::now()));
            self.read += &next.unwrap_or_else(|_| panic!("{part:?} is never shown, but {:?}", self.read));
        }
    }

    /// Waits until the node has ended, and gives back the terminal.
    fn ends(mut self) -> File {
        let until = Instant::now() + PATIENCE;
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status.code();
            }
            assert!(Instant::now() < until, "it does not end");
            thread::park_timeout(Duration::from_millis(1));
        };
        assert_eq!(code, Some(0));
        self.keys.try_clone().expect("the same")
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn at_a_terminal_nothing_is_shown_inside_of_what_is_typed() {
    let at = address();
    let mut bob = AtTerminal::start(&["node", "leader", "peer", "bob", "7301", "--address", &at]);
    // The warning is on the same terminal, in a line of its own, and the line that is typed below both.
    bob.until_shown("without a data folder");
    bob.until_shown("this node runs\r\n> ");
    bob.types("calc 1/");
    bob.until_shown("\r\x1b[K> calc 1/");
    bob.types("x\x7f0\r\x1b[A");
    // What was typed is above the answer, and what is being typed is there again below it.
    bob.until_shown("\r\x1b[K> calc 1/0\r\n");
    bob.types("\x15chat hi\r");
    bob.until_shown("\r\x1b[Kchat hi: there is nobody yet to whom it could be said\r\n> ");
    bob.types("quit\r");
    let terminal = bob.ends();
    // The terminal is as it was: a line at a time, echoed.
    use rustix::termios::{LocalModes, tcgetattr};
    let modes = tcgetattr(&terminal).expect("it is there").local_modes;
    assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "{modes:?}");
}

#[test]
fn at_a_terminal_a_line_is_edited_anywhere_in_it_and_earlier_ones_come_back() {
    let at = address();
    let mut bob = AtTerminal::start(&["node", "leader", "peer", "bob", "7301", "--address", &at]);
    bob.until_shown("this node runs\r\n> ");
    let nobody =
        |said: &str| format!("\r\x1b[Kchat {said}: there is nobody yet to whom it could be said\r\n> ");
    // Left, left, and a letter in between; then the end, and back to the beginning.
    bob.types("cht one\x1b[D\x1b[D\x1b[D\x1b[D\x1b[Da\x1b[F!\x1b[H");
    // The cursor stands ahead of all of it.
    bob.until_shown("\r\x1b[K> \x1b7chat one!\x1b8");
    bob.types("\r");
    bob.until_shown(&nobody("one!"));
    bob.types("chat two\r");
    bob.until_shown(&nobody("two"));
    // Back by two lines, where what is deleted stands after the cursor.
    bob.types("begun\x1b[A\x1b[A\x1b[4~\x1b[D\x1b[3~\x1b[D\x1b[D\x1b[DO\x1b[3~");
    bob.until_shown("\r\x1b[K> chat O\x1b7ne\x1b8");
    bob.types("\r");
    bob.until_shown(&nobody("One"));
    // What was begun is there again when the person comes back to it.
    bob.types("chat three\x1b[A\x1b[B\r");
    bob.until_shown(&nobody("three"));
    bob.types("quit\r");
    bob.ends();
}
