//! Rows and columns. The first column names the row, the others hold numbers.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, presets};

use harmless::{html as escape, line, markdown_cell};

#[derive(Clone, Debug, Default)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The table as text for a terminal.
    pub fn text(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::ASCII_BORDERS_ONLY_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.columns.iter().map(|column| line(column)));
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| line(cell)));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }

    pub fn html(&self) -> String {
        let mut html = String::from("<div class=\"scroll\"><table><thead><tr>");
        for column in &self.columns {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escape(column));
        }
        html.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            html.push_str("<tr>");
            for (index, cell) in row.iter().enumerate() {
                let cell = escape(cell);
                let _ = match index {
                    0 => write!(html, "<th scope=\"row\">{cell}</th>"),
                    _ => write!(html, "<td>{cell}</td>"),
                };
            }
            html.push_str("</tr>");
        }
        html.push_str("</tbody></table></div>");
        html
    }

    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<_> = cells.iter().map(|cell| markdown_cell(cell)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule: Vec<String> =
            (0..self.columns.len()).map(|i| if i == 0 { "---" } else { "---:" }.into()).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}{}{rows}", line(&self.columns), line(&rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stay_cells_whatever_is_in_them() {
        let cell = "a|b\n<script>\u{1b}[2J".to_owned();
        let table = Table { columns: vec![cell.clone(); 2], rows: vec![vec![cell; 2]] };
        let (text, html, markdown) = (table.text(), table.html(), table.markdown());
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(!text.contains('\u{1b}') && !html.contains('\u{1b}'), "{text}\n{html}");
        assert!(!html.contains("<script") && !markdown.contains("<script"), "{html}\n{markdown}");
        assert_eq!(markdown.lines().count(), 3, "{markdown}");
    }
}
