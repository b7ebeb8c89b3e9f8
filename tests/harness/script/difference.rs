//! PURE: what differs between two texts, line by line.

/// Lines that are shown before and after a difference.
const AROUND: usize = 2;

/// The lines of both texts: those of one alone behind `-`, those of the other behind `+`; of what is in
/// both only what is near.
pub(super) fn lines(one: &str, other: &str) -> String {
    let (one, other): (Vec<&str>, Vec<&str>) = (one.lines().collect(), other.lines().collect());
    let marked = marked(&one, &other);
    let differs = |index: usize| marked.get(index).is_some_and(|(mark, _)| *mark != ' ');
    let mut text = String::new();
    let mut gap = false;
    for (index, (mark, line)) in marked.iter().enumerate() {
        let near = index.saturating_sub(AROUND)..=index + AROUND;
        if near.into_iter().any(differs) {
            text.push(*mark);
            text.extend([" ", line, "\n"]);
            gap = false;
        } else if !gap {
            text.push_str("  ...\n");
            gap = true;
        }
    }
    text
}

/// A longest common subsequence (Wagner and Fischer, 1974), and what is not in it.
fn marked<'a>(one: &[&'a str], other: &[&'a str]) -> Vec<(char, &'a str)> {
    // Length of the longest one from each pair of places on.
    let mut lengths = vec![vec![0_usize; other.len() + 1]; one.len() + 1];
    for (i, line) in one.iter().enumerate().rev() {
        for (j, with) in other.iter().enumerate().rev() {
            lengths[i][j] = if line == with {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut marked) = (0, 0, Vec::new());
    while i < one.len() || j < other.len() {
        if i < one.len() && j < other.len() && one[i] == other[j] {
            marked.push((' ', one[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == other.len() || i < one.len() && lengths[i + 1][j] >= lengths[i][j + 1] {
            marked.push(('-', one[i]));
            i += 1;
        } else {
            marked.push(('+', other[j]));
            j += 1;
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_and_their_context_are_shown() {
        let one = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let other = one.replace("5\n", "five\n").replace("9\n", "");
        let expected = "  ...\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n- 9\n";
        assert_eq!(lines(one, &other), expected);
    }
}
