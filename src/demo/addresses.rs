//! Where the demo stack can be reached, and the configuration that points the dashboard at it.

use std::net::SocketAddr;
use std::path::Path;

use super::{files, nginx, postgres};

/// Every address of one demo; `demo --serve` prints it as one JSON object.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Addresses {
    pub admin_api: String,
    pub client_api: String,
    pub edge: String,
    pub redis: SocketAddr,
    pub postgres: SocketAddr,
    pub postgres_user: &'static str,
    pub postgres_database: &'static str,
    pub postgres_password_file: String,
    pub tor_control: SocketAddr,
    pub tor_cookie: String,
    pub tor_socks: SocketAddr,
    pub run_dir: String,
    pub log_dir: String,
    pub install_dir: String,
    pub export_dir: String,
    pub bin_dir: String,
    pub nginx_site: String,
    /// Where a site is kept while a maintenance page stands in for it.
    pub nginx_keep: String,
    /// The account that owns the key files.
    pub runner: String,
    pub admin_user: &'static str,
    pub admin_password_file: String,
}

/// The ports, in the order they were reserved.
pub struct Ports {
    pub admin: SocketAddr,
    pub client: SocketAddr,
    pub edge: SocketAddr,
    pub redis: SocketAddr,
    pub postgres: SocketAddr,
    pub tor_control: SocketAddr,
    pub tor_socks: SocketAddr,
}

impl Addresses {
    pub fn new(root: &Path, ports: &Ports, runner: String) -> Self {
        let path = |p: &Path| p.display().to_string();
        Self {
            admin_api: format!("http://{}", ports.admin),
            client_api: format!("http://{}", ports.client),
            edge: format!("http://{}", ports.edge),
            redis: ports.redis,
            postgres: ports.postgres,
            postgres_user: postgres::USER,
            postgres_database: postgres::DATABASE,
            postgres_password_file: path(&root.join("postgres.password")),
            tor_control: ports.tor_control,
            tor_cookie: path(&root.join("run/tor/control.authcookie")),
            tor_socks: ports.tor_socks,
            run_dir: path(&files::run_dir(root)),
            log_dir: path(&files::log_dir(root)),
            install_dir: path(&files::install_dir(root)),
            export_dir: path(&files::export_dir(root)),
            bin_dir: path(&root.join("bin")),
            nginx_site: path(&nginx::sites_enabled(root).join("admin-dashboard")),
            nginx_keep: path(&nginx::kept(root)),
            runner,
            admin_user: "admin",
            admin_password_file: path(&root.join("admin.password")),
        }
    }

    /// A `config.toml` for the built-in stack `tornado`.
    pub fn config_toml(&self) -> String {
        let mut vars = toml::Table::new();
        for (name, value) in [
            ("admin_api", self.admin_api.clone()),
            ("client_api", self.client_api.clone()),
            ("edge", self.edge.clone()),
            ("redis", self.redis.to_string()),
            ("postgres", self.postgres.to_string()),
            ("tor_control", self.tor_control.to_string()),
            ("tor_cookie", self.tor_cookie.clone()),
            ("tor_socks", self.tor_socks.to_string()),
            ("run_dir", self.run_dir.clone()),
            ("log_dir", self.log_dir.clone()),
            ("install_dir", self.install_dir.clone()),
            ("export_dir", self.export_dir.clone()),
            ("runner", self.runner.clone()),
            ("nginx_site", self.nginx_site.clone()),
            ("nginx_keep", self.nginx_keep.clone()),
        ] {
            vars.insert(name.into(), value.into());
        }
        let table = |pairs: Vec<(&str, toml::Value)>| {
            toml::Value::Table(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
        };
        let secret = table(vec![("file", self.admin_password_file.clone().into())]);
        let path: toml::Value = vec![toml::Value::from(self.bin_dir.clone())].into();
        let host = table(vec![("transport", "local".into()), ("path", path)]);
        // The load is that of the machine underneath, which may be building this very program.
        let calm: toml::Value = vec![toml::Value::from("[PER_CPU] < 1000")].into();
        let load = table(vec![("degraded_unless", calm)]);
        let config = toml::Table::from_iter([
            ("stack".to_owned(), "tornado".into()),
            ("environment".to_owned(), "demo".into()),
            ("vars".to_owned(), toml::Value::Table(vars)),
            ("secrets".to_owned(), table(vec![("admin_password", secret)])),
            ("hosts".to_owned(), table(vec![("vpn", host)])),
            ("probes".to_owned(), table(vec![("load", load)])),
        ]);
        config.to_string()
    }
}
