use std::time::SystemTime;

use crate::Certificate;

/// The longest chain that is sent, the leaf not counted. A header of more would be refused by the
/// servers in between, and no authority nests so deep.
const LONGEST: usize = 8;

/// The certificates above `leaf` among `pool`, each the issuer of the one before it: no root, which
/// the trust anchor knows, nothing twice, and nothing that does not belong.
pub(crate) fn above(leaf: &Certificate, pool: &[Certificate], now: SystemTime) -> Vec<Certificate> {
    let mut chain: Vec<Certificate> = Vec::new();
    while chain.len() < LONGEST {
        let last = chain.last().unwrap_or(leaf);
        let is_next = |candidate: &&Certificate| {
            last.may_be_issued_by(candidate)
                && !candidate.is_self_issued()
                && *candidate != leaf
                && !chain.contains(candidate)
        };
        // A renewed authority lies beside the old one: the one that is valid longest counts.
        let rank = |c: &&Certificate| (c.is_valid_at(now), c.not_after());
        let Some(next) = pool.iter().filter(is_next).max_by_key(rank) else { break };
        chain.push(next.clone());
    }
    chain
}

#[cfg(test)]
mod tests;
