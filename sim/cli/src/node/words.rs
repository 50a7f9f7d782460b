//! What is typed at a node's terminal: a command's name and what goes with it, `calc 1+1`, or a command as files write it.

use std::marker::PhantomData;

use ron::error::SpannedError;
use squall_live::terminal::{Meant, Tongue};
use squall_nodes::{Node, Protocol, ron_options};
use squall_reports::look::listed;

type CommandOf<P> = <<P as Protocol>::Node as Node>::Command;
type FactOf<P> = <<P as Protocol>::Node as Node>::Fact;
type AnswerOf<P> = <<P as Protocol>::Node as Node>::Answer;

/// How a protocol is spoken.
pub(super) struct Words<P>(PhantomData<fn() -> P>);

impl<P: Protocol> Words<P> {
    pub(super) fn new() -> Self {
        Words(PhantomData)
    }
}

/// What its nodes can be asked, by the names that files have for it.
fn commands<P: Protocol>() -> &'static [&'static str] {
    // Whoever reads an enum says which words there are when it is none of them.
    match ron_options().from_str::<CommandOf<P>>("none_of_them") {
        Err(SpannedError {
            code: ron::Error::NoSuchEnumVariant { expected, .. },
            ..
        }) => expected,
        _ => &[],
    }
}

impl<P: Protocol> Tongue<P::Node> for Words<P> {
    fn understand(&self, typed: &str) -> Meant<P::Node> {
        match command::<P>(typed) {
            Ok(command) => Meant::Ask(command),
            // A protocol may have such a command of its own.
            Err(_) if is("help", typed) || typed == "?" => Meant::Say(help::<P>()),
            Err(_) if is("quit", typed) => Meant::Stop,
            Err(why) => Meant::Say(vec![why]),
        }
    }

    fn told(&self, fact: &FactOf<P>) -> Option<String> {
        P::told(fact)
    }

    fn answered(&self, answer: &AnswerOf<P>) -> String {
        P::answered(answer)
    }
}

/// The command that was typed, or why it is none.
pub(super) fn command<P: Protocol>(typed: &str) -> Result<CommandOf<P>, String> {
    let read = |written: &str| ron_options().from_str::<CommandOf<P>>(written);
    if let Ok(command) = read(typed) {
        return Ok(command);
    }
    let end = typed.find(|c: char| c.is_whitespace() || c == '(');
    let (word, with) = typed.split_at(end.unwrap_or(typed.len()));
    let with = with.trim();
    let Some(name) = commands::<P>().iter().find(|name| is(name, word)) else {
        return Err(unknown::<P>(word));
    };
    if with.is_empty() {
        return read(name).map_err(|_| {
            let word = word_of(name);
            format!("`{word}` wants to know what: `{word} …`")
        });
    }
    // As files write it, with or without its parentheses; else the words themselves.
    let text = ron::to_string(with).unwrap_or_default();
    let as_written = read(&format!("{name}({with})"));
    let forms = [format!("{name}{with}"), format!("{name}({text})")];
    let read_as_well = forms.iter().find_map(|form| read(form).ok());
    match (as_written, read_as_well) {
        (Ok(command), _) | (Err(_), Some(command)) => Ok(command),
        (Err(_), None) if read(name).is_ok() => {
            let word = word_of(name);
            Err(format!("`{word}` is all there is to it: leave `{with}` out"))
        }
        (Err(why), None) => Err(format!(
            "`{with}` is nothing that `{}` takes: {}",
            word_of(name),
            why.code
        )),
    }
}

fn unknown<P: Protocol>(word: &str) -> String {
    let words: Vec<String> = commands::<P>().iter().map(|name| word_of(name)).collect();
    let near = words
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, &word.to_lowercase()), known))
        .filter(|(off, known)| *off <= known.len() / 3)
        .min();
    match (near, words.as_slice()) {
        (Some((_, near)), _) => format!("`{word}` is no command of {}; `{near}` is", P::NAME),
        (None, []) => format!("`{word}`: a node of {} cannot be asked anything", P::NAME),
        (None, _) => format!(
            "`{word}` is no command of {}: it can be asked {}",
            P::NAME,
            listed(&words)
        ),
    }
}

fn help<P: Protocol>() -> Vec<String> {
    let form = |name: &&str| {
        let word = word_of(name);
        match ron_options().from_str::<CommandOf<P>>(name) {
            Ok(_) => format!("  {word}"),
            Err(_) => format!("  {word} …"),
        }
    };
    let mut lines = vec![format!("what a node of {} can be asked, a line each:", P::NAME)];
    lines.extend(commands::<P>().iter().map(form));
    lines.push("and `quit`, or Ctrl-C, which stops it in order".to_owned());
    lines
}

/// A command's name as a word: `join_room` of `JoinRoom`.
fn word_of(name: &str) -> String {
    let mut word = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.extend(c.to_lowercase());
    }
    word
}

/// Whether a word means a name: its case is of no account, nor how its parts are joined.
fn is(name: &str, word: &str) -> bool {
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(|c| !matches!(c, '_' | '-'));
        letters.flat_map(char::to_lowercase).collect()
    };
    plain(name) == plain(word)
}

#[cfg(test)]
mod tests {
    use squall_nodes::counter::{self, Counter};
    use squall_nodes::leader::{Command, Leader};

    use super::*;

    #[test]
    fn a_command_is_typed_as_words_or_as_files_write_it() {
        let calc = |text: &str| Ok(Command::Calc(text.to_owned()));
        let chat = |text: &str| Ok(Command::Chat(text.to_owned()));
        for (typed, meant) in [
            ("status", Ok(Command::Status)),
            ("ACCEPT", Ok(Command::Accept)),
            ("calc 1+1", calc("1+1")),
            ("calc 5", calc("5")),
            ("calc (1+2)/4", calc("(1+2)/4")),
            ("calc(1+2)", calc("(1+2)")),
            ("Calc(\"1+2\")", calc("1+2")),
            ("chat \"so\" they said", chat("\"so\" they said")),
            (
                "chat   hello, all: it's \\o/ (here)",
                chat("hello, all: it's \\o/ (here)"),
            ),
            ("chat \"as a text\"", chat("as a text")),
        ] {
            assert_eq!(command::<Leader>(typed), meant, "{typed}");
        }
        assert_eq!(command::<Counter>("add 5"), Ok(counter::Command::Add(5)));
        assert_eq!(command::<Counter>("add(5)"), Ok(counter::Command::Add(5)));
    }

    #[test]
    fn what_is_no_command_is_told_with_what_would_be_one() {
        for (typed, why) in [
            ("cacl 1+1", "`cacl` is no command of leader; `calc` is"),
            ("dance", "it can be asked status, chat, calc"),
            ("calc", "`calc` wants to know what: `calc …`"),
            ("accept it", "`accept` is all there is to it: leave `it` out"),
            ("\u{1b}[A", "is no command of leader"),
        ] {
            let told = command::<Leader>(typed).expect_err(typed);
            assert!(told.contains(why), "{typed}: {told}");
        }
        let told = command::<Counter>("add many").expect_err("no number");
        assert!(told.contains("`many` is nothing that `add` takes"), "{told}");
    }

    #[test]
    fn help_and_quit_are_words_of_every_terminal() {
        let Meant::Say(help) = Words::<Leader>::new().understand("help") else {
            panic!("help is told")
        };
        assert!(help.contains(&"  calc …".to_owned()) && help.contains(&"  accept".to_owned()));
        assert!(matches!(Words::<Leader>::new().understand("quit"), Meant::Stop));
    }
}
