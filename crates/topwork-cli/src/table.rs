//! Tables of text: columns as wide as their widest cell, two spaces before each.

/// Where the cells of a column begin or end together.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A line a row. `sides` are those of the first columns; all further columns stand to the right.
pub(crate) fn text(rows: &[Vec<String>], sides: &[Side]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            line += &match sides.get(column) {
                Some(Side::Left) => format!("  {cell:<width$}"),
                Some(Side::Right) | None => format!("  {cell:>width$}"),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_their_sides() {
        let rows = [["name", "n", "state"], ["é", "12", "ok"]].map(|row| row.map(str::to_owned).to_vec());
        let expected = "  name   n  state\n  é     12  ok\n";
        assert_eq!(text(&rows, &[Side::Left, Side::Right, Side::Left]), expected);
        assert_eq!(text(&rows, &[Side::Left]), "  name   n  state\n  é     12     ok\n");
    }
}
