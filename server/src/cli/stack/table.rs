//! Rows in columns, for people.

/// The rows below their heading, each column as wide as it must be.
pub(super) fn table<const COLUMNS: usize>(heading: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let mut widths = heading.map(|word| word.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let heading = heading.map(str::to_owned);
    std::iter::once(&heading).chain(rows).map(|row| line(row, &widths)).collect()
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    let line = cells.collect::<Vec<_>>().join("   ");
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["shop".to_owned(), "2".to_owned()], ["m".to_owned(), String::new()]];
        assert_eq!(table(["NAME", "SERVICES"], &rows), "NAME   SERVICES\nshop   2\nm\n");
    }
}
