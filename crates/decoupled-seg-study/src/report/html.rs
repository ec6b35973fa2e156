use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::StudyReport;
use super::document::{Block, Document, HIGHER, LOWER, Table};

const STYLE: &str = include_str!("style.css");

impl StudyReport {
    /// The report as one HTML file with tables, curves, bars and pictures. It loads nothing from elsewhere and needs no
    /// script.
    pub fn to_html(&self) -> String {
        page(&Document::new(self))
    }
}

fn page(document: &Document) -> String {
    let title = escape(document.title);
    let blocks: String = document.blocks.iter().map(block).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{blocks}</body>\n</html>\n"
    )
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(heading) => format!("<h2>{}</h2>\n", escape(heading)),
        Block::PictureHeading(heading) => format!("<h2>{}</h2>\n", escape(heading)),
        Block::Paragraph(paragraph) => format!("<p>{}</p>\n", escape(paragraph)),
        Block::Table(table) => rows(table),
        Block::Chart(svg) => format!("<div class=\"chart\">\n{svg}</div>\n"),
        Block::Figure(figure) => {
            let caption = escape(&figure.caption);
            let png = STANDARD.encode(&figure.png);
            format!(
                "<figure>\n<img alt=\"{caption}\" src=\"data:image/png;base64,{png}\">\n\
                 <figcaption>{caption}</figcaption>\n</figure>\n"
            )
        }
    }
}

fn rows(table: &Table) -> String {
    let line = |cells: &[String], tag: &str| -> String {
        let cells = cells.iter().map(|cell| {
            let class = match cell.as_str() {
                HIGHER => " class=\"higher\"",
                LOWER => " class=\"lower\"",
                _ => "",
            };
            format!("<{tag}{class}>{}</{tag}>", escape(cell))
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = table.rows.iter().map(|row| line(row, "td")).collect();
    format!(
        "<div class=\"table\">\n<table>\n<thead>\n{}</thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n",
        line(&table.header, "th")
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
