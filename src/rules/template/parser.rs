//! From words to a tree (`text/template/parse/parse.go`).

use std::collections::BTreeMap;

use super::ast::{Block, Failure, Item, Operand, Pipe};
use super::functions;
use super::lexer::{Token, lex};

/// Blocks and parentheses inside each other.
const DEPTH_MAX: usize = 64;

/// Variables that every template of a rule may use.
pub(super) const GIVEN: [&str; 5] = ["$", "$labels", "$externalLabels", "$externalURL", "$value"];

/// Reads a whole template and the templates that it defines.
pub(super) fn parse(text: &str) -> Result<(Block, BTreeMap<String, Block>), Failure> {
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        variables: GIVEN.map(str::to_owned).to_vec(),
        defined: BTreeMap::new(),
        depth: 0,
        loops: 0,
    };
    let (main, end) = parser.block()?;
    match end {
        None => Ok((main, parser.defined)),
        Some((word, line)) => Err((line, format!("unexpected {{{{{word}}}}}"))),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    variables: Vec<String>,
    defined: BTreeMap<String, Block>,
    depth: usize,
    loops: usize,
}

/// The word that ended a block (`end` or `else`), and its line; `None` at the template's end.
type Ended = Option<(String, usize)>;

impl Parser {
    fn line(&self) -> usize {
        let place = self.at.min(self.tokens.len().saturating_sub(1));
        self.tokens.get(place).map_or(1, |(_, line)| *line)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, Failure> {
        Err((self.line(), message.into()))
    }

    fn enter(&mut self) -> Result<(), Failure> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail(format!("more than {DEPTH_MAX} blocks inside each other"));
        }
        Ok(())
    }

    /// Items up to `end`, `else` or the end of everything. `else` is left half read: what
    /// follows it in its action is for the caller.
    fn block(&mut self) -> Result<(Block, Ended), Failure> {
        self.enter()?;
        let mut items = Vec::new();
        let ended = loop {
            let line = self.line();
            match self.next() {
                None => break None,
                Some(Token::Text(text)) => items.push(Item::Text(text)),
                Some(_) => {
                    let keyword = match self.peek() {
                        Some(Token::Word(word)) => word.clone(),
                        _ => String::new(),
                    };
                    if matches!(keyword.as_str(), "end" | "else") {
                        self.at += 1;
                        if keyword == "end" {
                            self.close("end")?;
                        }
                        break Some((keyword, line));
                    }
                    if let Some(item) = self.action(&keyword, line)? {
                        items.push(item);
                    }
                }
            }
        };
        self.depth -= 1;
        Ok((items, ended))
    }

    fn close(&mut self, context: &str) -> Result<(), Failure> {
        match self.next() {
            Some(Token::Close) => Ok(()),
            Some(token) => {
                self.at -= 1;
                self.fail(format!("unexpected {} in {context}", shown(&token)))
            }
            None => self.fail("unclosed action"),
        }
    }

    fn action(&mut self, keyword: &str, line: usize) -> Result<Option<Item>, Failure> {
        match keyword {
            "if" | "with" | "range" => {
                self.at += 1;
                self.control(keyword, line).map(Some)
            }
            "define" => {
                self.at += 1;
                let name = self.quoted("define clause")?;
                self.close("define clause")?;
                // A definition has the dot of whoever calls it, and no variables of others.
                let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
                let (body, ended) = self.block()?;
                self.variables = outer;
                self.expect_end(ended)?;
                self.defined.insert(name, body);
                Ok(None)
            }
            "template" | "block" => {
                self.at += 1;
                let context = format!("{keyword} clause");
                let name = self.quoted(&context)?;
                let pipe = match self.peek() {
                    Some(Token::Close) => None,
                    _ => Some(self.pipe(&context)?),
                };
                self.close(&context)?;
                if keyword == "block" {
                    let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
                    let (body, ended) = self.block()?;
                    self.variables = outer;
                    self.expect_end(ended)?;
                    self.defined.insert(name.clone(), body);
                }
                Ok(Some(Item::Template { line, name, pipe }))
            }
            "break" | "continue" => {
                self.at += 1;
                if self.loops == 0 {
                    return self.fail(format!("{{{{{keyword}}}}} outside {{{{range}}}}"));
                }
                self.close(keyword)?;
                Ok(Some(if keyword == "break" { Item::Break } else { Item::Continue }))
            }
            _ => {
                let pipe = self.pipe("command")?;
                self.close("command")?;
                Ok(Some(Item::Action { line, pipe }))
            }
        }
    }

    fn control(&mut self, keyword: &str, line: usize) -> Result<Item, Failure> {
        let scope = self.variables.len();
        let pipe = self.pipe(keyword)?;
        self.close(keyword)?;
        self.loops += usize::from(keyword == "range");
        let (then, ended) = self.block()?;
        self.loops -= usize::from(keyword == "range");
        let otherwise = match ended {
            Some((word, else_line)) if word == "else" => self.otherwise(keyword, else_line)?,
            ended => {
                self.expect_end(ended)?;
                Vec::new()
            }
        };
        self.variables.truncate(scope);
        Ok(match keyword {
            "if" => Item::If { line, pipe, then, otherwise },
            "with" => Item::With { line, pipe, then, otherwise },
            _ => Item::Range { line, pipe, body: then, otherwise },
        })
    }

    /// What follows `{{else`: `}}` and a block, or `if …` which is a block of its own that ends
    /// with the same `end`.
    fn otherwise(&mut self, keyword: &str, line: usize) -> Result<Block, Failure> {
        if let Some(Token::Word(word)) = self.peek().cloned()
            && word == keyword
            && word != "range"
        {
            self.at += 1;
            self.enter()?;
            let nested = self.control(keyword, line)?;
            self.depth -= 1;
            return Ok(vec![nested]);
        }
        self.close("else")?;
        let (block, ended) = self.block()?;
        self.expect_end(ended)?;
        Ok(block)
    }

    fn expect_end(&self, ended: Ended) -> Result<(), Failure> {
        match ended {
            Some((word, _)) if word == "end" => Ok(()),
            Some((_, line)) => Err((line, "expected end; found {{else}}".to_owned())),
            None => self.fail("unexpected EOF"),
        }
    }

    fn quoted(&mut self, context: &str) -> Result<String, Failure> {
        match self.next() {
            Some(Token::Quoted(text)) => Ok(text),
            Some(token) => {
                self.at -= 1;
                self.fail(format!("unexpected {} in {context}", shown(&token)))
            }
            None => self.fail("unclosed action"),
        }
    }

    fn pipe(&mut self, context: &str) -> Result<Pipe, Failure> {
        self.enter()?;
        let mut pipe = Pipe::default();
        self.declarations(&mut pipe, context)?;
        loop {
            let command = self.command(context)?;
            if command.is_empty() {
                return self.fail(format!("missing value for {context}"));
            }
            let calls = matches!(
                command[0],
                Operand::Function(_)
                    | Operand::Field(_)
                    | Operand::Variable(..)
                    | Operand::Pipe(..)
            );
            if !pipe.commands.is_empty() && !calls {
                let place = pipe.commands.len() + 1;
                return self.fail(format!("non executable command in pipeline stage {place}"));
            }
            pipe.commands.push(command);
            match self.peek() {
                Some(Token::Pipe) => self.at += 1,
                _ => break,
            }
        }
        for name in &pipe.variables {
            if !pipe.assigns {
                self.variables.push(name.clone());
            }
        }
        self.depth -= 1;
        Ok(pipe)
    }

    /// `$x :=`, `$x =` or, of a range, `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Failure> {
        let words: Vec<&Token> =
            self.tokens.iter().skip(self.at).take(4).map(|(token, _)| token).collect();
        let (names, used, token) = match words.as_slice() {
            [Token::Variable(name), token @ (Token::Declare | Token::Assign), ..] => {
                (vec![name.clone()], 2, token)
            }
            [
                Token::Variable(first),
                Token::Comma,
                Token::Variable(second),
                token @ (Token::Declare | Token::Assign),
            ] if context == "range" => (vec![first.clone(), second.clone()], 4, token),
            _ => return Ok(()),
        };
        pipe.assigns = **token == Token::Assign;
        if let Some(unknown) = names.iter().find(|n| pipe.assigns && !self.variables.contains(n)) {
            return self.fail(format!("undefined variable {unknown:?}"));
        }
        pipe.variables = names;
        self.at += used;
        Ok(())
    }

    fn command(&mut self, context: &str) -> Result<Vec<Operand>, Failure> {
        let mut words = Vec::new();
        loop {
            let operand = match self.peek().cloned() {
                None => return self.fail("unclosed action"),
                Some(Token::Close | Token::Pipe | Token::CloseParen) => return Ok(words),
                Some(Token::Dot) => Operand::Dot,
                Some(Token::Int(value)) => Operand::Int(value),
                Some(Token::Float(value)) => Operand::Float(value),
                Some(Token::Quoted(text)) => Operand::Text(text),
                Some(Token::Word(word)) => self.named(&word)?,
                Some(Token::Field { name, space }) => {
                    if !space {
                        return self.fail(format!("unexpected <.{name}> in {context}"));
                    }
                    self.at += 1;
                    let path = self.path(vec![name]);
                    words.push(Operand::Field(path));
                    continue;
                }
                Some(Token::Variable(name)) => {
                    if !self.variables.contains(&name) {
                        return self.fail(format!("undefined variable {name:?}"));
                    }
                    self.at += 1;
                    let path = self.path(Vec::new());
                    words.push(Operand::Variable(name, path));
                    continue;
                }
                Some(Token::OpenParen) => {
                    self.at += 1;
                    let pipe = self.pipe("parenthesized pipeline")?;
                    if self.next() != Some(Token::CloseParen) {
                        self.at -= 1;
                        return self.fail("unclosed left paren");
                    }
                    let path = self.path(Vec::new());
                    words.push(Operand::Pipe(Box::new(pipe), path));
                    continue;
                }
                Some(token) => {
                    return self.fail(format!("unexpected {} in {context}", shown(&token)));
                }
            };
            self.at += 1;
            words.push(operand);
        }
    }

    fn named(&self, word: &str) -> Result<Operand, Failure> {
        match word {
            "nil" => Ok(Operand::Nil),
            "true" => Ok(Operand::Bool(true)),
            "false" => Ok(Operand::Bool(false)),
            word if functions::exists(word) => Ok(Operand::Function(word.to_owned())),
            word => self.fail(format!("function {word:?} not defined")),
        }
    }

    /// `.A.B` without spaces in between.
    fn path(&mut self, mut path: Vec<String>) -> Vec<String> {
        while let Some(Token::Field { name, space: false }) = self.peek() {
            path.push(name.clone());
            self.at += 1;
        }
        path
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Text(text) | Token::Quoted(text) => format!("{text:?}"),
        Token::Open => "{{".to_owned(),
        Token::Close => "}}".to_owned(),
        Token::Word(word) => format!("<{word}>"),
        Token::Field { name, .. } => format!("<.{name}>"),
        Token::Dot => "<.>".to_owned(),
        Token::Variable(name) => format!("<{name}>"),
        Token::Int(value) => format!("\"{value}\""),
        Token::Float(value) => format!("\"{value}\""),
        Token::Pipe => "\"|\"".to_owned(),
        Token::Comma => "\",\"".to_owned(),
        Token::OpenParen => "\"(\"".to_owned(),
        Token::CloseParen => "\")\"".to_owned(),
        Token::Declare => "\":=\"".to_owned(),
        Token::Assign => "\"=\"".to_owned(),
    }
}
