use std::time::SystemTime;

use crate::Certificate;

/// The longest chain that is sent, the leaf not counted. A header of more would be refused by the
/// servers in between, and no authority nests so deep.
const LONGEST: usize = 8;

/// The certificates above `leaf` among `pool`: no root, which the trust anchor knows, nothing twice,
/// and nothing that does not belong.
///
/// First come those of one way upwards, each the issuer of the one before it. An authority that
/// others have certified too (cross-signed) may be known to the trust anchor by any of these: what
/// else is valid and may have issued one of the chain follows.
pub(crate) fn above(leaf: &Certificate, pool: &[Certificate], now: SystemTime) -> Vec<Certificate> {
    let mut chain: Vec<Certificate> = Vec::new();
    let may_follow = |below: &Certificate, candidate: &Certificate, chain: &[Certificate]| {
        below.may_be_issued_by(candidate)
            && !candidate.is_root()
            && candidate != leaf
            && !chain.contains(candidate)
    };
    // A renewed authority lies beside the old one: the one that is valid longest counts.
    let rank = |c: &&Certificate| (c.is_valid_at(now), c.not_after());
    while chain.len() < LONGEST {
        let last = chain.last().unwrap_or(leaf);
        let candidates = pool.iter().filter(|c| may_follow(last, c, &chain));
        let Some(next) = candidates.max_by_key(rank) else { break };
        chain.push(next.clone());
    }
    let mut below = 0;
    while below <= chain.len() && chain.len() < LONGEST {
        let one = if below == 0 { leaf } else { &chain[below - 1] };
        let others = pool.iter().filter(|c| c.is_valid_at(now) && may_follow(one, c, &chain));
        match others.max_by_key(rank) {
            Some(other) => chain.push(other.clone()),
            None => below += 1,
        }
    }
    chain
}

#[cfg(test)]
mod tests;
