//! Plans and worlds for the machine's tests.
