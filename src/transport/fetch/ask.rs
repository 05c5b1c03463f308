//! One request as whoever the stack file says asks; a login's session is renewed once when it is
//! refused.

use super::auth::{Credential, fixed};
use super::http::{Answer, Call, Open, fetch};
use super::{Fault, Way, login};
use crate::stack::kind::http::Auth;
use hyper::StatusCode;
use std::sync::Arc;

/// Fetches with the proof that `auth` asks for, and gives it back, so that what is shown of the
/// answer can be cleaned of it. For `kept` see [`fetch`].
///
/// # Errors
/// `Unknown` without the secret or the session; otherwise as [`fetch`].
pub async fn ask(
    way: &Way<'_>,
    auth: &Auth,
    call: Call<'_>,
    kept: &mut Option<Box<Open>>,
) -> Result<(Answer, Option<Arc<Credential>>), Fault> {
    let Auth::Login(id) = auth else {
        let credential = fixed(auth, way.access).await?.map(Arc::new);
        let answer = fetch(way, signed(call, credential.as_deref()), kept).await?;
        return Ok((answer, credential));
    };
    let mut session = login::session(way, id).await?;
    let mut answer = fetch(way, signed(call.clone(), Some(&session.credential)), kept).await?;
    let refused = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if refused && let Some(newer) = login::renew(way, id, &session).await? {
        session = newer;
        answer = fetch(way, signed(call, Some(&session.credential)), kept).await?;
    }
    Ok((answer, Some(session.credential)))
}

/// The same for a step of a procedure, by one of the stack's logins, over a connection of its own:
/// through the session of that name, which is used as it is, or the shared one, which is renewed
/// once when it is refused.
///
/// # Errors
/// As [`ask`].
pub async fn ask_as(
    way: &Way<'_>,
    id: &str,
    session: Option<&str>,
    call: Call<'_>,
) -> Result<(Answer, Arc<Credential>), Fault> {
    if let Some(name) = session {
        let session = login::named(way, id, name).await?;
        let answer = fetch(way, signed(call, Some(&session.credential)), &mut None).await?;
        return Ok((answer, session.credential));
    }
    let mut session = login::session(way, id).await?;
    let mut answer = fetch(way, signed(call.clone(), Some(&session.credential)), &mut None).await?;
    if answer.status == StatusCode::UNAUTHORIZED {
        session = login::renew_now(way, id, &session).await?;
        answer = fetch(way, signed(call, Some(&session.credential)), &mut None).await?;
    }
    Ok((answer, session.credential))
}

fn signed<'a>(mut call: Call<'a>, credential: Option<&Credential>) -> Call<'a> {
    if let Some(credential) = credential {
        call.headers.insert(credential.header.clone(), credential.value.clone());
    }
    call
}
