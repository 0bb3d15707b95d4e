//! Addresses: networks that are trusted, and what counts as one client.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A network such as `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that names no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network: use an address such as 10.0.0.2, or 10.0.0.0/8")]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(raw: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(raw.to_owned());
        let (address, bits) = raw.split_once('/').map_or((raw, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| invalid()))?;
        if bits > most { Err(invalid()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    /// Whether an address belongs to it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |one: u128, other: u128, width: u8| {
            self.bits == 0 || (one ^ other).checked_shr(u32::from(width - self.bits)).unwrap_or_default() == 0
        };
        match (self.address, plain(address)) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same(u32::from(own).into(), u32::from(other).into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.into(), other.into(), 128),
            _ => false,
        }
    }
}

/// An IPv4 address that came in IPv6's clothes (`::ffff:10.0.0.1`), without them.
pub fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(mapped) => mapped.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// What is counted as one client: an IPv4 address, or the /64 that one IPv6 customer has all of.
pub fn client(address: IpAddr) -> String {
    match plain(address) {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(network: &str, inside: &[&str], outside: &[&str]) {
        let network: Network = network.parse().unwrap();
        for address in inside {
            assert!(network.contains(address.parse().unwrap()), "{network:?} {address}");
        }
        for address in outside {
            assert!(!network.contains(address.parse().unwrap()), "{network:?} {address}");
        }
    }

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        check("10.0.0.0/8", &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], &["11.0.0.0", "::1"]);
        check("192.168.1.5", &["192.168.1.5"], &["192.168.1.4", "192.168.1.6"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check("fd00::/8", &["fd12::1"], &["fe80::1", "10.0.0.1"]);
        check("::1", &["::1"], &["::2"]);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "::/129", "example.org", "10.0.0.0/8/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn one_customer_of_ipv6_is_one_client() {
        assert_eq!(client("2001:db8:1:2:aaaa::1".parse().unwrap()), client("2001:db8:1:2:bbbb::2".parse().unwrap()));
        assert_eq!(client("::ffff:10.0.0.1".parse().unwrap()), "10.0.0.1");
    }
}
