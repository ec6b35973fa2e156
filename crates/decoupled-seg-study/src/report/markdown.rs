use super::StudyReport;
use super::document::{Block, Document, Table};

impl StudyReport {
    /// The tables of the report as Markdown; charts and pictures are left to [`to_html`](Self::to_html).
    pub fn to_markdown(&self) -> String {
        write(&Document::new(self))
    }
}

fn write(document: &Document) -> String {
    let mut text = format!("# {}\n", document.title);
    for block in &document.blocks {
        match block {
            Block::PictureHeading(_) | Block::Chart(_) | Block::Figure(_) => {}
            Block::Heading(heading) => text += &format!("\n## {heading}\n"),
            Block::Paragraph(paragraph) => text += &format!("\n{paragraph}\n"),
            Block::Table(table) => text += &format!("\n{}", rows(table)),
        }
    }
    text
}

fn rows(table: &Table) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .map(|cell| {
                cell.replace('|', "\\|")
                    .replace('*', "\\*")
                    .replace('\n', " ")
            })
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = "---|".repeat(table.header.len());
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!("{}|{rule}\n{rows}", line(&table.header))
}
