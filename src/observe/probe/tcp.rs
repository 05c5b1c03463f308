//! Looks at a TCP port or Unix socket: does it accept, and what does it say first.

use super::{Context, Fault, Found};
use crate::domain::text;
use crate::stack::kind::tcp::Spec;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Kept of what it says first.
const MAX_BANNER: usize = 4 << 10;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let mut stream = cx.connect(&spec.address).await?;
    let mut found = Found { summary: "accepts connections".to_owned(), ..Found::default() };
    found.facts.bool("CONNECTED", true);
    if let Some(text) = &spec.send {
        stream
            .write_all(text.as_bytes())
            .await
            .map_err(|e| Fault::Down(format!("expected to send, got: {e}")))?;
    }
    if spec.read {
        let mut buffer = vec![0; MAX_BANNER];
        let n = stream
            .read(&mut buffer)
            .await
            .map_err(|e| Fault::Down(format!("expected an answer, got: {e}")))?;
        if n == 0 {
            return Err(Fault::Down("expected an answer, got a closed connection".to_owned()));
        }
        let banner = String::from_utf8_lossy(buffer.get(..n).unwrap_or(&[])).trim().to_owned();
        found.summary = text::one_line(&banner, 60);
        found.evidence.clone_from(&banner);
        found.facts.text("BANNER", banner);
    }
    Ok(found)
}
