//! The clients as the program makes them, from an address.

use quarterdeck::clock::{Clock, SystemClock};
use quarterdeck::domain::id::{HostId, SecretId};
use quarterdeck::observe::metrics::alertmanager::Alertmanager;
use quarterdeck::observe::metrics::api::Api;
use quarterdeck::observe::metrics::prometheus::Prometheus;
use quarterdeck::stack::kind::common::Tls;
use quarterdeck::stack::kind::http::Auth;
use quarterdeck::stack::kind::http::target::Target;
use quarterdeck::stack::metrics::Remote;
use quarterdeck::stack::spec::{Host, SecretSource, TransportSpec};
use quarterdeck::transport::Transport;
use quarterdeck::transport::fetch::access::Access;
use quarterdeck::transport::secret::Secrets;
use std::sync::Arc;
use std::time::Duration;

pub struct Bench {
    runtime: tokio::runtime::Runtime,
    transport: Arc<Transport>,
    pub clock: SystemClock,
    pub tls: Option<Tls>,
    pub auth: Auth,
    pub timeout: Duration,
    pub secret: String,
}

impl Bench {
    pub fn local() -> Bench {
        Bench::new(TransportSpec::Local)
    }

    pub fn new(transport: TransportSpec) -> Bench {
        let host = Host { id: HostId::new("there"), transport, path: Vec::new() };
        Bench {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            transport: Arc::new(Transport::new(&host).unwrap()),
            clock: SystemClock::new(),
            tls: None,
            auth: Auth::None,
            timeout: Duration::from_secs(10),
            secret: "open sesame".to_owned(),
        }
    }

    pub fn api(&self, url: &str) -> Api {
        let tls = self.tls.clone().filter(|_| url.starts_with("https"));
        let remote = Remote {
            host: HostId::new("there"),
            target: Target::parse(url, tls, None).unwrap(),
            auth: self.auth.clone(),
            headers: Vec::new(),
            timeout: self.timeout,
        };
        let argv = vec!["printf".to_owned(), "%s\\n".to_owned(), self.secret.clone()];
        let secrets = Secrets::new([(SecretId::new("s"), SecretSource::Command(argv))].into());
        Api::new(remote, Arc::clone(&self.transport), Arc::new(Access::new(secrets, &[])))
    }

    pub fn prometheus(&self, url: &str) -> Prometheus {
        Prometheus::over(self.api(url))
    }

    pub fn alertmanager(&self, url: &str) -> Alertmanager {
        Alertmanager::over(self.api(url))
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn now(&self) -> i64 {
        self.clock.now().wall.as_millisecond()
    }

    /// What asking for `1` at this address comes to.
    pub fn why(&self, url: &str) -> String {
        let client = self.prometheus(url);
        self.block_on(client.query("1", 0)).expect_err("it should have failed").to_string()
    }
}
