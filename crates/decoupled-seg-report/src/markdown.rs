use crate::Study;
use crate::document::{Block, Document, Table};

impl Study {
    /// The tables of the report as Markdown.
    pub fn markdown(&self) -> String {
        text(&Document::new(self))
    }
}

/// The document without its charts and pictures.
fn text(document: &Document) -> String {
    let mut text = format!("# {}\n", document.title);
    for block in &document.blocks {
        match block {
            Block::Heading("Training" | "Pictures") | Block::Chart(_) | Block::Figure(_) => {}
            Block::Heading(heading) => text += &format!("\n## {heading}\n"),
            Block::Paragraph(paragraph) => text += &format!("\n{paragraph}\n"),
            Block::Table(table) => text += &format!("\n{}", rows(table)),
        }
    }
    text
}

fn rows(table: &Table) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = "---|".repeat(table.header.len());
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!("{}|{rule}\n{rows}", line(&table.header))
}
