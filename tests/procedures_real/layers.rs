//! Faults of the restart and of the recovery in order: units that fail, hang, or come up and do not
//! answer.

use crate::case::How::{Fails, Hangs, Unseen};
use crate::case::{CASE, Case, prove_all};

const DOWN: &str = "systemctl stop redis app";

pub const CASES: &[Case] = &[
    Case {
        run: "restart",
        step: "restart",
        how: Fails,
        fault: "break_unit app ExecStartPre=/bin/false",
        says: &["Job for app.service failed", "then failed (failed)"],
        world: "[ \"$(systemctl is-active app)\" = failed ]",
        ..CASE
    },
    Case {
        run: "restart",
        step: "restart",
        how: Hangs,
        fault: "break_unit app 'ExecStartPre=/bin/sleep 60'",
        says: &["0 of 3 good observations within 1.2 s", "app-unit is "],
        world: "[ \"$(systemctl is-active app)\" = activating ]",
        ..CASE
    },
    Case {
        run: "restart",
        step: "restart",
        how: Hangs,
        // systemd was never asked: everything looks well, because it is what it was before.
        fault: "stand_in systemctl 'case \"$*\" in *restart*) exec sleep 60;; esac'",
        says: &["not done within 1 s", "it did not happen", "as it was before"],
        world: "[ \"$(wc -l <$D/run/starts)\" = \"$(cat $D/run/starts-before)\" ]",
        before: "wc -l <$D/run/starts >$D/run/starts-before",
        tweak: "on_timeout = 'verify'",
        ..CASE
    },
    Case {
        run: "restart",
        step: "restart",
        how: Hangs,
        fault: "break_unit app 'ExecStartPre=/bin/sleep 60'",
        tweak: "on_timeout = 'fail'",
        says: &["not done within 1 s", "app.service: active (running)", "then activating"],
        ..CASE
    },
    Case {
        run: "restart",
        step: "restart",
        how: Unseen,
        fault: "break_unit app \"ExecStart=\nExecStart=/bin/sleep 600\"",
        says: &["0 of 3 good", "app-admin is down: connection refused by 127.0.0.1:8000"],
        world: "[ \"$(systemctl is-active app)\" = active ] && [ \"$(status http://127.0.0.1:8000/health)\" = 000 ]",
        ..CASE
    },
    Case {
        run: "recover",
        step: "stop-app",
        how: Fails,
        before: "systemctl stop redis",
        fault: "stand_in systemctl 'case \"$*\" in *stop*) echo \"Failed to stop: Connection timed out\" >&2; exit 1;; esac'",
        says: &["Failed to stop: Connection timed out", "app.service: active (running)"],
        world: "systemctl is-active -q app && ! systemctl is-active -q redis",
        ..CASE
    },
    Case {
        run: "recover",
        step: "stop-app",
        how: Hangs,
        before: "systemctl stop redis",
        fault: "break_unit app 'ExecStop=/bin/sleep 60'",
        tweak: "on_timeout = 'fail'",
        says: &["not done within 1 s", "then deactivating (stop), pid", "systemd is still at its job"],
        ..CASE
    },
    Case {
        run: "recover",
        step: "stop-app",
        how: Unseen,
        before: "systemctl stop redis",
        fault: "stand_in systemctl 'case \"$*\" in *stop*) exit 0;; esac'",
        says: &["0 of 1 good", "probe_success"],
        world: "systemctl is-active -q app",
        ..CASE
    },
    Case {
        run: "recover",
        step: "postgres",
        how: Fails,
        before: "systemctl stop postgres",
        fault: "break_unit postgres ExecStartPre=/bin/false",
        says: &["Job for postgres.service failed"],
        world: "! systemctl is-active -q app && [ \"$(systemctl is-active postgres)\" = failed ]",
        ..CASE
    },
    Case {
        run: "recover",
        step: "postgres",
        how: Hangs,
        before: "systemctl stop postgres",
        fault: "break_unit postgres 'ExecStartPre=/bin/sleep 60'",
        says: &["0 of 2 good", "connection refused by 127.0.0.1:5432"],
        world: "[ \"$(systemctl is-active postgres)\" = activating ]",
        ..CASE
    },
    Case {
        run: "recover",
        step: "postgres",
        how: Unseen,
        before: "systemctl stop postgres",
        // It is started, finds its data gone, and says so in its journal only.
        fault: "break_unit postgres 'Environment=PGPORT=5433'",
        says: &["0 of 2 good", "connection refused by 127.0.0.1:5432"],
        world: "systemctl is-active -q postgres && pg_isready -q -h 127.0.0.1 -p 5433",
        ..CASE
    },
    Case {
        run: "recover",
        step: "redis",
        how: Fails,
        before: DOWN,
        fault: "break_unit redis ExecStartPre=/bin/false",
        says: &["Job for redis.service failed"],
        world: "pg_isready -q -h 127.0.0.1 && ! systemctl is-active -q app",
        ..CASE
    },
    Case {
        run: "recover",
        step: "redis",
        how: Hangs,
        before: DOWN,
        fault: "break_unit redis 'ExecStartPre=/bin/sleep 60'",
        says: &["0 of 2 good", "connection refused by 127.0.0.1:6379"],
        ..CASE
    },
    Case {
        run: "recover",
        step: "redis",
        how: Unseen,
        before: DOWN,
        fault: "break_unit redis \"ExecStart=\nExecStart=/usr/bin/redis-server --port 6379 --bind 127.0.0.1 --requirepass x\"",
        says: &["0 of 2 good", "NOAUTH"],
        world: "systemctl is-active -q redis",
        ..CASE
    },
    Case {
        run: "recover",
        step: "app",
        how: Fails,
        before: DOWN,
        fault: "break_unit app ExecStartPre=/bin/false",
        says: &["Job for app.service failed"],
        world: "[ \"$(redis-cli ping)\" = PONG ]",
        ..CASE
    },
    Case {
        run: "recover",
        step: "app",
        how: Hangs,
        before: "systemctl stop app",
        fault: "break_unit app 'ExecStartPre=/bin/sleep 60'",
        says: &["0 of 3 good", "app-unit is down: expected active == active, got activating"],
        ..CASE
    },
    Case {
        run: "recover",
        step: "app",
        how: Unseen,
        before: "systemctl stop app",
        // Its tunnel is gone, so that it ends at once.
        fault: "stand_in wg true; break_unit app 'Environment=PATH=/nowhere'",
        says: &["0 of 3 good", "app-unit is "],
        ..CASE
    },
    Case {
        run: "recover",
        step: "edge",
        how: Fails,
        before: "systemctl stop edge",
        fault: "echo nonsense >>$D/edge.conf",
        says: &["Job for edge.service failed", "then failed (failed)"],
        world: "[ \"$(status http://127.0.0.1:8000/health)\" = 200 ]",
        ..CASE
    },
    Case {
        run: "recover",
        step: "edge",
        how: Hangs,
        before: "systemctl stop edge",
        fault: "break_unit edge 'ExecStartPre=/bin/sleep 60'",
        says: &["0 of 2 good", "connection refused by 127.0.0.1:80"],
        ..CASE
    },
    Case {
        run: "recover",
        step: "edge",
        how: Unseen,
        before: "systemctl stop edge",
        fault: "sed -i s/8000/8001/ $D/sites/app",
        says: &["0 of 2 good", "edge-up is down", "502"],
        world: "systemctl is-active -q edge && [ \"$(status http://127.0.0.1/health)\" = 502 ]",
        ..CASE
    },
];

#[test]
fn a_restart_that_goes_wrong_is_reported_as_it_is() {
    prove_all(CASES.iter().filter(|c| c.procedure() == "restart"));
}

#[test]
fn a_recovery_stops_at_the_layer_that_does_not_come_up() {
    prove_all(CASES.iter().filter(|c| c.procedure() == "recover"));
}
