//! The connections that HTTP probes keep between their runs.

use crate::domain::id::ProbeId;
use crate::transport::fetch::http::Open;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Connections kept at most; a probe beyond them opens a fresh one each time.
const MAX_KEPT: usize = 8192;

/// One for all probes.
#[derive(Debug, Default)]
pub struct Kept(Mutex<HashMap<ProbeId, Box<Open>>>);

impl Kept {
    pub fn take(&self, probe: &ProbeId) -> Option<Box<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(probe)
    }

    pub fn put(&self, probe: &ProbeId, open: Box<Open>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.insert(probe.clone(), open);
        }
    }
}
