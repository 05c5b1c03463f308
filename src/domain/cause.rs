//! The likely cause: the lowest failing layer, and what follows from it.

use super::health::Health;

/// What is said of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Not failing.
    Fine,
    /// Failing, and nothing it needs fails as badly: look here.
    Cause,
    /// Failing, and so does the layer at this index, which it needs, at least as badly.
    ExplainedBy(usize),
}

/// Names for each layer its role. A layer that is merely degraded does not explain one that is
/// down: naming it the cause sent the reader to the wrong place when a client of a layer was gone
/// and the layer only missed its subscription. `needs[i]` are the layers that layer `i` depends on directly;
/// an index that is out of range is ignored. Only `degraded` and `down` are failing: `unknown`
/// neither causes nor is explained.
pub fn roles(health: &[Health], needs: &[Vec<usize>]) -> Vec<Role> {
    (0..health.len()).map(|layer| role(layer, health, needs)).collect()
}

fn failing(health: Health) -> bool {
    matches!(health, Health::Degraded | Health::Down)
}

fn role(layer: usize, health: &[Health], needs: &[Vec<usize>]) -> Role {
    let own = health.get(layer).copied().unwrap_or(Health::Unknown);
    if !failing(own) {
        return Role::Fine;
    }
    let bad_enough = |l: usize| health.get(l).is_some_and(|h| failing(*h) && h.severity() >= own.severity());
    // The lowest that fails as badly: nothing below it does. The worst wins, then the first in order.
    let root = all_needs(layer, needs)
        .into_iter()
        .filter(|l| bad_enough(*l))
        .filter(|l| role_is_cause(*l, health, needs))
        .max_by_key(|l| (health.get(*l).map_or(0, |h| h.severity()), std::cmp::Reverse(*l)));
    root.map_or(Role::Cause, Role::ExplainedBy)
}

/// Whether nothing that a layer needs fails at least as badly as it does itself.
fn role_is_cause(layer: usize, health: &[Health], needs: &[Vec<usize>]) -> bool {
    let own = health.get(layer).map_or(0, |h| h.severity());
    let worse = |l: &usize| *l != layer && health.get(*l).is_some_and(|h| failing(*h) && h.severity() >= own);
    !all_needs(layer, needs).iter().any(worse)
}

/// Everything a layer depends on, directly or not, without itself; a cycle ends the walk.
pub fn all_needs(layer: usize, needs: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; needs.len()];
    let mut stack = vec![layer];
    let mut out = Vec::new();
    while let Some(at) = stack.pop() {
        for &next in needs.get(at).into_iter().flatten() {
            if next != layer && seen.get(next) == Some(&false) {
                if let Some(flag) = seen.get_mut(next) {
                    *flag = true;
                }
                out.push(next);
                stack.push(next);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use Health::{Degraded, Down, Unknown, Up};
    use proptest::prelude::*;

    /// redis(0), postgres(1) <- tornado(2) <- api(3) <- edge(4)
    fn stack() -> Vec<Vec<usize>> {
        vec![vec![], vec![], vec![0, 1], vec![2], vec![3]]
    }

    #[test]
    fn the_lowest_failing_layer_is_the_cause() {
        let table = [
            ([Up, Up, Up, Up, Up], [Role::Fine; 5]),
            (
                [Down, Up, Down, Down, Up],
                [Role::Cause, Role::Fine, Role::ExplainedBy(0), Role::ExplainedBy(0), Role::Fine],
            ),
            ([Degraded, Up, Up, Down, Up], [Role::Cause, Role::Fine, Role::Fine, Role::Cause, Role::Fine]),
            (
                [Degraded, Down, Down, Up, Up],
                [Role::Cause, Role::Cause, Role::ExplainedBy(1), Role::Fine, Role::Fine],
            ),
            ([Unknown, Up, Down, Up, Up], [Role::Fine, Role::Fine, Role::Cause, Role::Fine, Role::Fine]),
        ];
        for (health, want) in table {
            assert_eq!(roles(&health, &stack()), want, "{health:?}");
        }
    }

    proptest! {
        #[test]
        fn every_failure_has_a_cause_and_every_cause_fails(
            health in prop::collection::vec(prop::sample::select(Health::ALL.to_vec()), 6),
            edges in prop::collection::vec((0usize..6, 0usize..6), 0..12),
        ) {
            let mut needs = vec![Vec::new(); 6];
            for (a, b) in edges {
                if b < a { needs[a].push(b); }   // acyclic: only towards lower layers
            }
            let roles = roles(&health, &needs);
            for (i, role) in roles.iter().enumerate() {
                match role {
                    Role::Fine => prop_assert!(!failing(health[i])),
                    Role::Cause => {
                        let as_bad = |l: &usize| failing(health[*l]) && health[*l].severity() >= health[i].severity();
                        prop_assert!(failing(health[i]) && !all_needs(i, &needs).iter().any(as_bad));
                    }
                    Role::ExplainedBy(c) => {
                        prop_assert!(all_needs(i, &needs).contains(c));
                        prop_assert!(health[*c].severity() >= health[i].severity());
                        prop_assert_eq!(roles[*c], Role::Cause);
                    }
                }
            }
            prop_assert_eq!(health.iter().any(|h| failing(*h)), roles.contains(&Role::Cause));
        }

        #[test]
        fn a_cycle_never_hangs(edges in prop::collection::vec((0usize..5, 0usize..5), 0..15)) {
            let mut needs = vec![Vec::new(); 5];
            for (a, b) in edges { needs[a].push(b); }
            prop_assert_eq!(roles(&[Down; 5], &needs).len(), 5);
        }
    }
}
