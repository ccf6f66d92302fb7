//! A self-contained HTML page. It has no scripts, and no fonts or pictures from elsewhere. It is light or
//! dark as the reader has set, and readable on a phone as well as on a wide screen.

use std::fmt::Write;

use crate::chart::Chart;
use crate::svg;
use harmless::html as escape;

/// The parts of a page in their order.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    pub fn new(title: &str, subtitle: &str) -> Self {
        let body = format!(
            "<header><h1>{}</h1><p class=\"muted\">{}</p></header>",
            escape(title),
            escape(subtitle)
        );
        Self { title: title.to_owned(), body }
    }

    pub fn heading(&mut self, text: &str) {
        let _ = write!(self.body, "<h2>{}</h2>", escape(text));
    }

    pub fn paragraph(&mut self, text: &str) {
        let _ = write!(self.body, "<p>{}</p>", escape(text));
    }

    pub fn list(&mut self, items: &[String]) {
        let items: String = items.iter().map(|item| format!("<li>{}</li>", escape(item))).collect();
        let _ = write!(self.body, "<ul>{items}</ul>");
    }

    pub fn code(&mut self, caption: &str, code: &str) {
        let _ = write!(
            self.body,
            "<figure><figcaption>{}</figcaption><pre><code>{}</code></pre></figure>",
            escape(caption),
            escape(code.trim_end()),
        );
    }

    /// Big numbers side by side: a value and what it is.
    pub fn figures(&mut self, figures: &[(String, String)]) {
        self.body.push_str("<div class=\"figures\">");
        for (value, name) in figures {
            let _ = write!(
                self.body,
                "<div><b>{}</b><span>{}</span></div>",
                escape(value),
                escape(name)
            );
        }
        self.body.push_str("</div>");
    }

    /// HTML that is known to be safe, such as a table's.
    pub fn raw(&mut self, html: &str) {
        self.body.push_str(html);
    }

    /// Draws the chart twice; the screen's width decides which drawing is seen.
    pub fn chart(&mut self, chart: &Chart) {
        let (wide, narrow) = (chart.svg_for_page(WIDE), chart.svg_for_page(NARROW));
        let _ = write!(
            self.body,
            "<div class=\"chart wide\">{wide}</div><div class=\"chart narrow\">{narrow}</div>"
        );
    }

    pub fn html(&self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <link rel=\"icon\" href=\"data:,\"><title>{}</title><style>{STYLE}{}</style></head>\
             <body><main>{}</main></body></html>\n",
            escape(&self.title),
            svg::series_style(),
            self.body,
        )
    }
}

const WIDE: u32 = 860;
const NARROW: u32 = 380;
const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#fff;--raised:#f5f7fa;--text:#1c2430;--muted:#5a6675;--line:#d8dde5}\
@media(prefers-color-scheme:dark){:root{--ground:#12161c;--raised:#1b212a;--text:#e6eaf0;--muted:#9aa6b5;--line:#2f3845}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{max-width:980px;margin:0 auto;padding:24px 20px 64px}\
h1{font-size:1.7rem;line-height:1.25;margin:.2em 0}h2{font-size:1.25rem;margin:2em 0 .5em}\
.muted{color:var(--muted);fill:var(--muted)}\
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0}\
.figures div{background:var(--raised);border-radius:8px;padding:12px 14px}\
.figures b{display:block;font-size:1.3rem;line-height:1.2;font-variant-numeric:tabular-nums}\
.figures span{color:var(--muted);font-size:.9rem}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
th,td{padding:6px 8px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}\
th:first-child{text-align:left;position:sticky;left:0;background:var(--ground)}thead th{color:var(--muted);font-weight:600}tbody th{font-weight:500}\
.chart{margin:20px 0}.chart svg{width:100%;height:auto;display:block}\
.narrow{display:none}@media(max-width:620px){.wide{display:none}.narrow{display:block}tbody th{white-space:normal;min-width:8.5em}}\
svg text{fill:var(--text);font-family:inherit}svg text.muted{fill:var(--muted)}\
.grid{stroke:var(--line)}.axis{stroke:var(--muted)}\
figure{margin:16px 0}figcaption{color:var(--muted);font-size:.9rem;margin-bottom:4px}\
pre{background:var(--raised);border-radius:8px;padding:14px;overflow-x:auto;font-size:.85rem;line-height:1.45;margin:0}\
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_refers_to_nothing_outside_itself() {
        let mut page = Page::new("A & B", "<sub>");
        page.chart(&Chart::default());
        page.code("caption", "if a < b {}");
        let html = page.html();
        assert!(
            html.contains("A &amp; B")
                && html.contains("&lt;sub&gt;")
                && html.contains("if a &lt; b")
        );
        assert!(!html.contains("<script") && !html.contains("src="), "{html}");
        let links = html.matches("http").count();
        assert_eq!(links, html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    }
}
