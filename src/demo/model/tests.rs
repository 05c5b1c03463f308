//! What must always hold of the model, and what each fault does to the rest.

use proptest::prelude::*;

use super::*;

fn model(seed: u64) -> Model {
    Model::new(seed, Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365), Vec::new())
}

fn run(model: &mut Model, seconds: u64) {
    let elapsed = model.now - UPTIME + seconds;
    model.advance(Duration::from_secs(elapsed));
}

fn numbers(m: &Model) -> impl PartialEq + std::fmt::Debug + use<> {
    (m.now, m.clients.counters, m.clients.online(), m.clients.peers(), m.log.total(), m.tor.read, m.host.now)
}

#[test]
fn same_seed_same_ticks_same_numbers() {
    let (mut a, mut b, mut c) = (model(7), model(7), model(8));
    for (i, secs) in [1, 5, 60, 3, 120].into_iter().enumerate() {
        for m in [&mut a, &mut b, &mut c] {
            m.set_fault(Fault::HeartbeatStorm, i == 2);
            run(m, secs);
        }
        assert_eq!(numbers(&a), numbers(&b));
        assert_eq!(
            a.log.records().back().map(log::Record::line),
            b.log.records().back().map(log::Record::line)
        );
    }
    assert!(numbers(&a) != numbers(&c), "another seed gives other numbers");
}

#[test]
fn a_healthy_stack_moves_and_stays_healthy() {
    let mut m = model(1);
    let before = m.clients.counters;
    run(&mut m, 300);
    assert!((40..110).contains(&m.clients.online()), "{}", m.clients.online());
    assert_eq!(m.clients.online(), m.clients.peers());
    assert!(m.clients.counters.heartbeats > before.heartbeats + 300);
    assert_eq!(m.open_mask().count_ones(), 8 + 11);
    assert!(m.redis.keyspace_events && m.redis.session_subscribed && m.redis.admin_subscribed);
    assert!(m.log.count("heartbeat_lost") < 40, "{}", m.log.count("heartbeat_lost"));
}

#[test]
fn after_a_redis_restart_alone_everything_looks_well_and_nobody_listens() {
    let mut m = model(1);
    m.unit_job(UnitId::Redis, Job::Restart);
    run(&mut m, 5);
    assert!(m.is_open(Door::Redis));
    assert!(!m.redis.keyspace_events && !m.redis.session_subscribed && !m.redis.admin_subscribed);
    m.unit_job(UnitId::Tornado, Job::Restart);
    run(&mut m, 12);
    assert!(m.redis.keyspace_events && m.redis.session_subscribed && m.redis.admin_subscribed);
}

#[test]
fn a_tornado_restart_drops_all_peers_and_the_apis_are_back_after_seven_seconds() {
    let mut m = model(1);
    let (online, key) = (m.clients.online(), m.interfaces[0].public_key);
    m.unit_job(UnitId::Tornado, Job::Restart);
    run(&mut m, 8);
    assert!(!m.is_open(Door::Admin) && !m.is_open(Door::Client));
    run(&mut m, 1);
    assert!(m.is_open(Door::Admin) && m.is_open(Door::Client));
    assert!(m.clients.online() > online / 2 && m.clients.peers() < 5, "sessions stay, peers do not");
    assert_ne!(m.interfaces[0].public_key, key);
    assert!(m.keys.rotating.is_some(), "each start rotates");
    let logins = m.log.count("login_success");
    run(&mut m, 640);
    assert!(m.keys.rotating.is_none());
    run(&mut m, 60);
    assert!(m.log.count("login_success") > logins + online as u64 / 2, "the rotation ended every token");
    assert!(m.clients.peers() * 10 > m.clients.online() * 8, "people reconnect");
}

#[test]
fn supervision_brings_redis_back_unless_a_fault_holds_it() {
    let mut m = model(1);
    m.unit_job(UnitId::Redis, Job::Stop);
    run(&mut m, 15);
    assert!(!m.is_open(Door::Redis));
    run(&mut m, 12);
    assert!(m.is_open(Door::Redis), "os_services restarted it");
    m.set_fault(Fault::RedisDown, true);
    run(&mut m, 120);
    assert!(!m.is_open(Door::Redis));
    assert!(m.is_open(Door::Admin) && m.is_open(Door::Client), "no health check depends on Redis");
    let failures = m.clients.counters.heartbeat_failures;
    assert!(failures > 50, "{failures}");
    m.set_fault(Fault::RedisDown, false);
    run(&mut m, 1);
    assert!(m.is_open(Door::Redis) && !m.redis.session_subscribed);
}

#[test]
fn a_heartbeat_storm_takes_sessions_offline() {
    let mut m = model(1);
    let (lost, online) = (m.log.count("heartbeat_lost"), m.clients.online());
    m.set_fault(Fault::HeartbeatStorm, true);
    run(&mut m, 240);
    assert!(m.log.count("heartbeat_lost") > lost + 20, "{}", m.log.count("heartbeat_lost") - lost);
    assert!(m.clients.online() < online);
}

#[test]
fn a_rotation_past_a_stale_pid_file_breaks_every_login_until_auth_restarts() {
    let mut m = model(1);
    m.set_fault(Fault::StalePidFile, true);
    m.rotate_keys();
    run(&mut m, 640);
    let journal = |m: &Model, text: &str| m.log.entries().iter().any(|e| e.message.contains(text));
    assert!(journal(&m, "process_not_found") && !journal(&m, "sighup_sent"));
    let (failed, logins) = (m.log.count("login_failed"), m.log.count("login_success"));
    run(&mut m, 60);
    assert!(m.log.count("login_failed") > failed + 30);
    assert_eq!(m.log.count("login_success"), logins);
    let now = m.now;
    m.services.restart(Svc::Auth, now);
    run(&mut m, 60);
    assert!(m.log.count("login_success") > logins + 20);
}

#[test]
fn other_faults_show_where_they_should() {
    let mut m = model(3);
    m.set_fault(Fault::PeersDropped, true);
    assert_eq!(m.clients.peers(), 0);
    assert!(m.clients.online() > 30);
    m.set_fault(Fault::PeersDropped, false);

    m.set_fault(Fault::IpPoolExhausted, true);
    assert_eq!(m.clients.free(), 0);
    run(&mut m, 300);
    assert!(m.log.count("ip_pool_exhausted") > 0);
    m.set_fault(Fault::IpPoolExhausted, false);
    assert!(m.clients.free() > 100);

    m.set_fault(Fault::ServiceCrash, true);
    run(&mut m, 60);
    assert!(m.services.get(Svc::WgManager).restarts > 4);
    m.set_fault(Fault::ServiceCrash, false);

    m.set_fault(Fault::Wg1Missing, true);
    assert!(m.interface_present(0) && !m.interface_present(1));
    m.set_fault(Fault::TorUnhealthy, true);
    assert!(!m.tor_healthy() && m.is_open(Door::TorControl));
    m.set_fault(Fault::TokenFailures, true);
    let failed = m.log.count("login_failed");
    run(&mut m, 60);
    assert!(m.log.count("login_failed") > failed + 20);
}

#[test]
fn scheduled_faults_come_and_go() {
    let specs = vec!["nginx-down@5s..8s".parse().unwrap(), "tor-down".parse().unwrap()];
    let mut m = Model::new(1, Timestamp::UNIX_EPOCH + SignedDuration::from_hours(99_999), specs);
    assert!(!m.is_open(Door::TorControl) && m.is_open(Door::Edge));
    run(&mut m, 5);
    assert!(!m.is_open(Door::Edge));
    run(&mut m, 4);
    assert!(m.is_open(Door::Edge) && !m.is_open(Door::TorControl));
}

#[test]
fn hammering_health_makes_the_manager_restart_the_admin_api() {
    let mut m = model(1);
    let local = u32::from(std::net::Ipv4Addr::LOCALHOST);
    for _ in 0..120 {
        for _ in 0..300 {
            m.guard.admit("/health", local, 200, m.now);
        }
        run(&mut m, 1);
    }
    assert!(m.services.get(Svc::ApiPublic).restarts > 0);
}

#[test]
fn a_long_gap_is_skipped_not_replayed() {
    let mut m = model(1);
    m.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(m.now, UPTIME + 30 * 24 * 3600);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_breaks_the_books_balance(
        seed in any::<u64>(),
        acts in prop::collection::vec((0usize..24, any::<bool>(), 1u64..90), 1..12),
    ) {
        let mut m = model(seed);
        for (which, on, secs) in acts {
            let fault = Fault::all().nth(which).unwrap();
            m.set_fault(fault, on);
            if which % 5 == 0 {
                m.unit_job(units::UNITS[which % 8].id, if on { Job::Restart } else { Job::Kill });
            }
            run(&mut m, secs);
            let c = &m.clients;
            prop_assert_eq!(c.free() + c.used(), clients::POOL);
            prop_assert!(c.online() <= c.used());
            prop_assert!(c.sessions().count() <= c.used());
            prop_assert!(c.sessions().all(|(_, s)| s.online || !s.peer), "no peer for an offline session");
            prop_assert!(c.sessions().all(|(_, s)| s.handshake <= m.now));
            let mut addresses: Vec<u8> = c.sessions().map(|(_, s)| s.address).collect();
            let n = addresses.len();
            addresses.sort_unstable();
            addresses.dedup();
            prop_assert_eq!(n, addresses.len(), "each address has one holder");
            let wg = m.interface_present(0);
            prop_assert!(wg || c.peers() == 0);
            prop_assert!(m.units.running(UnitId::Redis) || !m.redis.session_subscribed);
        }
    }
}
