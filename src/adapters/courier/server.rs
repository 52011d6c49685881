//! Mail by SMTP to a server beside us (RFC 5321, 3.3): one message, one recipient, no TLS, no
//! authentication.
#![allow(clippy::disallowed_methods, reason = "this room asks the network")]

use std::time::Duration;

use hoplock_policy::name::DomainName;
use tokio::net::TcpStream;

use crate::adapters::smtp::dialogue::{Answer, Dialogue, Trouble};
use crate::world::Patience;
use crate::world::courier::Undelivered;
use crate::world::probe::SmtpReply;

/// Hands a mail over within `limit`.
pub(super) async fn hand_over(
    address: &str,
    helo: &DomainName,
    from: &str,
    to: &str,
    message: &[u8],
    limit: Duration,
) -> Result<(), Undelivered> {
    let patience = Patience::of(limit);
    let stream = match patience.wait(TcpStream::connect(address)).await {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => {
            let words = format!("mail server {address}: {error}");
            return Err(Undelivered::temporary(words));
        }
        None => {
            let words = format!("mail server {address}: no connection in time");
            return Err(Undelivered::temporary(words));
        }
    };
    let mut session = Session {
        address,
        limit,
        dialogue: Dialogue::new(stream, patience),
    };
    let outcome = session.transaction(helo, from, to, message).await;
    match outcome {
        Ok(()) => {
            // It has the mail, whatever it says now.
            session.dialogue.quit().await;
            Ok(())
        }
        Err(Stopped::Replied(undelivered)) => {
            session.dialogue.quit().await;
            Err(undelivered)
        }
        Err(Stopped::Lost(undelivered)) => {
            session.dialogue.close().await;
            Err(undelivered)
        }
    }
}

struct Session<'a> {
    address: &'a str,
    limit: Duration,
    dialogue: Dialogue<TcpStream>,
}

/// Why a transaction ended early.
enum Stopped {
    /// By a reply: the session is fit for a good-bye.
    Replied(Undelivered),
    /// Without one.
    Lost(Undelivered),
}

impl Session<'_> {
    async fn transaction(
        &mut self,
        helo: &DomainName,
        from: &str,
        to: &str,
        message: &[u8],
    ) -> Result<(), Stopped> {
        let greeting = self.dialogue.reply(self.limit).await;
        self.expect("its greeting", 220..=220, greeting)?;
        self.say(&format!("EHLO {helo}"), 250).await?;
        // No parameters: the message is of seven bits, and asks for REQUIRETLS no more than any other.
        self.say(&format!("MAIL FROM:<{from}>"), 250).await?;
        let command = format!("RCPT TO:<{to}>");
        let answer = self.dialogue.command(&command, self.limit).await;
        // 251 and 252: it takes the mail, and somebody else delivers it.
        self.expect(&command, 250..=252, answer)?;
        self.say("DATA", 354).await?;
        let answer = self.dialogue.message(message, self.limit).await;
        self.expect("the message", 250..=250, answer)
    }

    async fn say(&mut self, command: &str, wanted: u16) -> Result<(), Stopped> {
        let answer = self.dialogue.command(command, self.limit).await;
        self.expect(command, wanted..=wanted, answer)
    }

    fn expect(
        &self,
        what: &str,
        wanted: std::ops::RangeInclusive<u16>,
        answer: Result<Answer, Trouble>,
    ) -> Result<(), Stopped> {
        let address = self.address;
        match answer {
            Ok(answer) if wanted.contains(&answer.reply.code) => Ok(()),
            Ok(answer) => Err(Stopped::Replied(undelivered(address, what, &answer.reply))),
            Err(trouble) => {
                let words = trouble.words();
                let words = format!("mail server {address}: no reply to {what}: {words}");
                Err(Stopped::Lost(Undelivered::temporary(words)))
            }
        }
    }
}

/// RFC 5321, 4.2.1: 5 is for good. Whatever else is not what was asked for may pass.
fn undelivered(address: &str, what: &str, reply: &SmtpReply) -> Undelivered {
    let words = format!("mail server {address}, to {what}: {reply}");
    if reply.code / 100 == 5 {
        Undelivered::refused(words)
    } else {
        Undelivered::temporary(words)
    }
}
