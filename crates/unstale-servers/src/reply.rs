//! Commands and replies of Redis, as far as tests need them to set a server up and to look into it.

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a server under test may answer in one piece.
const BULK_BYTES_MAX: usize = 64 << 20;

/// A server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A line, or the bytes of a value; what is not UTF-8 in it is replaced.
    Text(String),
    /// An error, as the server words it.
    Error(String),
    /// A number.
    Number(i64),
    /// Nothing.
    Nothing,
    /// Several answers.
    List(Vec<Reply>),
}

impl Reply {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The answers, if there are several.
    pub fn list(&self) -> &[Reply] {
        if let Self::List(list) = self { list } else { &[] }
    }
}

/// Sends one command and reads its answer; a server's error is an error here.
pub(crate) async fn ask<S>(stream: &mut S, words: &[&str]) -> io::Result<Reply>
where
    S: AsyncBufRead + AsyncWrite + Unpin + Send,
{
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    let reply = read(stream).await?;
    if let Reply::Error(error) = &reply {
        return Err(io::Error::other(format!("{}: {error}", words.join(" "))));
    }
    Ok(reply)
}

fn read<'a, S>(stream: &'a mut S) -> Pin<Box<dyn Future<Output = io::Result<Reply>> + Send + 'a>>
where
    S: AsyncBufRead + Unpin + Send,
{
    Box::pin(async move {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| strange(line))?;
        let number = || rest.parse::<i64>().map_err(|_| strange(line));
        Ok(match kind {
            "+" => Reply::Text(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Number(number()?),
            "$" | "*" if number()? < 0 => Reply::Nothing,
            "$" => {
                let length = usize::try_from(number()?).unwrap_or(usize::MAX);
                if length > BULK_BYTES_MAX {
                    return Err(strange(line));
                }
                let mut bytes = vec![0; length + 2];
                stream.read_exact(&mut bytes).await?;
                Reply::Text(String::from_utf8_lossy(&bytes[..length]).into_owned())
            }
            "*" => {
                let mut list = Vec::new();
                for _ in 0..number()? {
                    list.push(read(stream).await?);
                }
                Reply::List(list)
            }
            _ => return Err(strange(line)),
        })
    })
}

fn strange(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("`{line}` is no reply"))
}
