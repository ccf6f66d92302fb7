//! A self-contained HTML page. It has no scripts, and no fonts or pictures from elsewhere. It is light or
//! dark as the reader has set, and readable on a phone as well as on a wide screen.

use std::fmt::Write;

use crate::drawing::Draw;
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

    /// What matters most, on the first screen.
    pub fn lead(&mut self, name: &str, text: &str) {
        let _ = write!(self.body, "<p class=\"lead\"><b>{}</b> {}</p>", escape(name), escape(text));
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

    /// HTML that is known to be safe, such as a table's.
    pub fn raw(&mut self, html: &str) {
        self.body.push_str(html);
    }

    /// What few readers want to see, folded. `fill` fills it.
    pub fn folded(&mut self, summary: &str, fill: impl FnOnce(&mut Self)) {
        let _ = write!(self.body, "<details><summary>{}</summary>", escape(summary));
        fill(self);
        self.body.push_str("</details>");
    }

    /// Things to do, each with the address of a page that says more, if there is one.
    pub fn advice(&mut self, items: &[(String, Option<Link>)]) {
        let item = |(text, link): &(String, Option<Link>)| {
            let link = link.as_ref().map_or_else(String::new, |Link { text, address }| {
                format!(" <a href=\"{}\">{}</a>", escape(address), escape(text))
            });
            format!("<li>{}{link}</li>", escape(text))
        };
        let items: String = items.iter().map(item).collect();
        let _ = write!(self.body, "<ol class=\"advice\">{items}</ol>");
    }

    /// Draws it twice; the screen's width decides which drawing is seen.
    pub fn chart(&mut self, chart: &impl Draw) {
        let (wide, narrow) =
            (svg::for_page(&chart.drawing(WIDE)), svg::for_page(&chart.drawing(NARROW)));
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

/// A page somewhere else.
#[derive(Clone, Debug)]
pub struct Link {
    pub text: String,
    pub address: String,
}

const WIDE: f64 = 860.0;
const NARROW: f64 = 380.0;
const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#fff;--raised:#f5f7fa;--text:#1c2430;--muted:#5a6675;--line:#d8dde5;--alarm:#c01c28;--link:#1a5fb4}\
@media(prefers-color-scheme:dark){:root{--ground:#12161c;--raised:#1b212a;--text:#e6eaf0;--muted:#9aa6b5;--line:#2f3845;--alarm:#ff7b72;--link:#7fb3f0}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{max-width:980px;margin:0 auto;padding:24px 20px 64px}\
h1{font-size:1.7rem;line-height:1.25;margin:.2em 0}h2{font-size:1.25rem;margin:2em 0 .5em}\
.muted{color:var(--muted);fill:var(--muted)}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
th,td{padding:6px 8px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}\
th:first-child{text-align:left;position:sticky;left:0;background:var(--ground)}thead th{color:var(--muted);font-weight:600}tbody th{font-weight:500}\
.chart{margin:20px 0}.chart svg{width:100%;height:auto;display:block}\
.narrow{display:none}@media(max-width:620px){.wide{display:none}.narrow{display:block}tbody th{white-space:normal;min-width:8.5em}}\
svg text{fill:var(--text);font-family:inherit}svg text.muted{fill:var(--muted)}\
svg text.alarm{fill:var(--alarm)}svg line.alarm{stroke:var(--alarm)}svg rect.alarm{fill:var(--alarm)}\
.value{outline:none}.value circle.fill,.value text{visibility:hidden}\
.value text{paint-order:stroke;stroke:var(--ground);stroke-width:4px;font-weight:600}\
.value:hover circle.fill,.value:hover text,.value:focus circle.fill,.value:focus text{visibility:visible}\
.lead{background:var(--raised);border-left:4px solid var(--link);border-radius:4px;padding:10px 14px}\
a{color:var(--link)}.advice li{margin:.4em 0}\
details{margin:14px 0;border-top:1px solid var(--line);padding-top:10px}summary{cursor:pointer;font-weight:600}\
@media print{details:not([open])>*{display:block}details::details-content{content-visibility:visible;display:block}.value{display:none}main{max-width:none}}\
.grid{stroke:var(--line)}.axis{stroke:var(--muted)}\
figure{margin:16px 0}figcaption{color:var(--muted);font-size:.9rem;margin-bottom:4px}\
pre{background:var(--raised);border-radius:8px;padding:14px;overflow-x:auto;font-size:.85rem;line-height:1.45;margin:0}\
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Chart;

    #[test]
    fn a_page_refers_to_nothing_outside_itself() {
        let mut page = Page::new("A & B", "<sub>");
        page.chart(&Chart::default());
        page.code("caption", "if a < b {}");
        page.folded("more & more", |page| page.paragraph("inside"));
        let html = page.html();
        assert!(
            html.contains("A &amp; B")
                && html.contains("&lt;sub&gt;")
                && html.contains("if a &lt; b")
                && html.contains("<summary>more &amp; more</summary><p>inside</p></details>")
        );
        assert!(!html.contains("<script") && !html.contains("src="), "{html}");
        let links = html.matches("http").count();
        assert_eq!(links, html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    }
}
