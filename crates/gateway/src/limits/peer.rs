//! Who is at the other end of a connection, as far as that can be believed.

use actix_web::http::header::HeaderMap;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses, such as `10.0.0.0/8`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// The text is neither an address nor a block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an IP address nor a block such as 10.0.0.0/8")]
pub struct NotANetwork(String);

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork(text.to_owned());
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = width(address);
        let bits = bits.map_or(Ok(width), str::parse).map_err(|_| wrong())?;
        if bits > width { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let shift = width(self.address) - self.bits;
        let prefix = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
        width(self.address) == width(address)
            && prefix(number(self.address)) == prefix(number(address))
    }
}

const fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The client's address: that of the connection. Only what a trusted proxy says in
/// `X-Forwarded-For` is believed instead, from the right and up to the first address that is no
/// proxy of ours; whatever stands to the left of it the client may have written itself.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
    let mut client = peer.to_canonical();
    if proxies.is_empty() || !is_proxy(client) {
        return account(client);
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .collect();
    for text in forwarded.iter().rev() {
        // What cannot be read was not written by a proxy of ours.
        let Ok(address) = text.trim().parse::<IpAddr>() else { break };
        client = address.to_canonical();
        if !is_proxy(client) {
            break;
        }
    }
    account(client)
}

/// Whom an address stands for: in IPv6 one client is given a whole /64.
fn account(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn network(text: &str) -> Network {
        text.parse().expect("a network")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn seen(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            let name = HeaderName::from_static("x-forwarded-for");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let proxies: Vec<Network> = proxies.iter().map(|text| network(text)).collect();
        client(ip(peer), &headers, &proxies).to_string()
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        for (block, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "200.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fd12::1", true),
            ("::1", "::2", false),
        ] {
            assert_eq!(network(block).contains(ip(address)), inside, "{block} {address}");
        }
        for wrong in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0.0/-1", "host"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_client_cannot_say_where_it_comes_from() {
        assert_eq!(seen("203.0.113.9", &["1.2.3.4"], &[]), "203.0.113.9");
        assert_eq!(seen("203.0.113.9", &["1.2.3.4"], &["10.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_says_where_its_client_comes_from() {
        let proxies = &["10.0.0.0/8"][..];
        assert_eq!(seen("10.0.0.1", &["1.2.3.4"], proxies), "1.2.3.4");
        // The client wrote the left one; two proxies of ours stand in a row.
        assert_eq!(seen("10.0.0.1", &["9.9.9.9, 1.2.3.4, 10.0.0.2"], proxies), "1.2.3.4");
        assert_eq!(seen("10.0.0.1", &["9.9.9.9", "1.2.3.4"], proxies), "1.2.3.4");
        assert_eq!(seen("10.0.0.1", &[], proxies), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, nonsense"], proxies), "10.0.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["1.2.3.4"], proxies), "1.2.3.4");
    }

    #[test]
    fn a_client_of_ipv6_has_one_account_for_all_its_addresses() {
        assert_eq!(seen("2001:db8:1:2:3:4:5:6", &[], &[]), "2001:db8:1:2::");
        assert_eq!(seen("2001:db8:1:2:ffff::1", &[], &[]), "2001:db8:1:2::");
        assert_eq!(seen("::ffff:192.0.2.1", &[], &[]), "192.0.2.1");
    }
}
