//! nginx in front of the admin API: a proxy that answers 502 when there is nothing behind it, or
//! whatever the site that stands in for it says.

use hyper::StatusCode;

use super::{Call, Reply, admin, text_reply};
use crate::demo::model::Door;
use crate::demo::nginx::Site;
use crate::demo::shared::DemoHandle;

pub async fn answer(demo: &DemoHandle, call: &Call) -> Reply {
    let requests = demo.with(|m| {
        m.edge_requests += 1;
        m.edge_requests
    });
    if call.path == "/nginx_status" {
        let online = demo.with(|m| m.clients.online());
        let (active, handled) = (1 + online / 30, requests + 4211);
        let text = format!(
            "Active connections: {active} \nserver accepts handled requests\n {handled} {handled} {} \n\
             Reading: 0 Writing: 1 Waiting: {} \n",
            handled + requests,
            active - 1
        );
        return text_reply(StatusCode::OK, "text/plain", text);
    }
    let site = demo.with(|m| m.site.clone());
    if let Site::Answer { status, text } = site {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        return text_reply(status, "text/plain", text);
    }
    if site == Site::None {
        return text_reply(StatusCode::NOT_FOUND, "text/html", page("404 Not Found"));
    }
    if demo.is_open(Door::Admin) {
        return admin::answer(demo, call).await;
    }
    text_reply(StatusCode::BAD_GATEWAY, "text/html", page("502 Bad Gateway"))
}

/// nginx' own page for an error.
fn page(title: &str) -> String {
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
    )
}
