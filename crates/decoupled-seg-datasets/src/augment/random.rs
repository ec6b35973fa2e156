use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator of one sample. It depends on these numbers only, so the result depends neither on the number of
/// workers nor on their order. `repeat` tells apart the uses of an item that an epoch takes more than once.
pub fn sample_rng(seed: u64, epoch: u64, index: u64, repeat: u64) -> ChaCha8Rng {
    // An even last number; the generators of epochs have odd ones.
    seeded([seed, epoch, index, 2 * repeat])
}

/// The generator of an epoch's order. It is independent of the generators of the epoch's samples.
pub(crate) fn epoch_rng(seed: u64, epoch: u64) -> ChaCha8Rng {
    seeded([seed, epoch, 0, 1])
}

pub(crate) fn seeded(numbers: [u64; 4]) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, number) in key.chunks_exact_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn every_number_matters() {
        let draw = |mut rng: ChaCha8Rng| rng.random::<u64>();
        let first = draw(sample_rng(1, 2, 3, 0));
        assert_eq!(first, draw(sample_rng(1, 2, 3, 0)));
        let samples = [[2, 2, 3, 0], [1, 3, 3, 0], [1, 2, 4, 0], [1, 2, 3, 1]];
        assert!(
            samples
                .into_iter()
                .all(|[s, e, i, r]| draw(sample_rng(s, e, i, r)) != first)
        );
        assert_ne!(draw(sample_rng(1, 2, 0, 0)), draw(epoch_rng(1, 2)));
    }
}
