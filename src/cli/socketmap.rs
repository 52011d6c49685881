//! Asking by socketmap, as Postfix and Sendmail do.

use hoplock_wire::netstring;
use hoplock_wire::socketmap::{QUERY_LIMIT, REPLY_LIMIT, Request};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// One question; the payload of the reply, or words on why there is none. Waits as long as it takes.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: Request<'_>,
) -> Result<Vec<u8>, String> {
    let words = |error: std::io::Error| error.to_string();
    let mut bytes = Vec::new();
    request
        .encode(QUERY_LIMIT, &mut bytes)
        .map_err(|error| error.to_string())?;
    stream.write_all(&bytes).await.map_err(words)?;
    let mut received = Vec::new();
    loop {
        let frame = netstring::decode(&received, REPLY_LIMIT).map_err(|error| error.to_string())?;
        if let Some(frame) = frame {
            return Ok(frame.payload.to_vec());
        }
        if stream.read_buf(&mut received).await.map_err(words)? == 0 {
            return Err("it closed the connection".to_owned());
        }
    }
}
