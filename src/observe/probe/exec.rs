//! Looks by running a command on the host.

use super::{Context, Fault, Found};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::kind::exec::Spec;
use crate::transport::Command;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let command = Command::new(spec.argv.iter().cloned()).sudo(cx.probe.sudo);
    let output = cx.transport.run(&command).await?;
    let stdout = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if cx.probe.sudo && output.status != 0 && super::shared::sudo_refused(&stderr) {
        return Err(Fault::Unknown(super::shared::sudo_help(&command)));
    }
    let first = stdout.lines().next().unwrap_or("");
    let summary =
        if first.is_empty() { format!("exit {}", output.status) } else { text::one_line(first, 80) };
    let mut found =
        Found { summary, evidence: format!("{stdout}\n{stderr}").trim().to_owned(), ..Found::default() };
    found.facts.number("EXIT", f64::from(output.status), Unit::None);
    if spec.json {
        let body = match serde_json::from_slice(&output.stdout) {
            Ok(value) => Fact::Json(value),
            Err(_) if output.status != 0 => {
                Fact::Unavailable(format!("exit {}: {}", output.status, text::one_line(&stderr, 120)))
            }
            Err(e) => return Err(Fault::Down(format!("expected JSON on standard output, got: {e}"))),
        };
        found.facts.set("BODY", body);
    }
    found.facts.text("OUTPUT", stdout);
    found.facts.text("STDERR", stderr);
    Ok(found)
}
