//! Orders in which steps may arrive.

/// All sequences of at most `longest` steps out of `count`, shorter ones first.
pub(super) fn sequences(count: usize, longest: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        let longer = |sequence: &Vec<usize>| {
            let sequence = sequence.clone();
            (0..count).map(move |step| [sequence.clone(), vec![step]].concat())
        };
        last = last.iter().flat_map(longer).collect();
        all.extend(last.clone());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sequence_comes_once() {
        assert_eq!(sequences(2, 2), [vec![], vec![0], vec![1], vec![0, 0], vec![0, 1], vec![1, 0], vec![1, 1]]);
    }
}
