//! HTML that cannot be injected into: markup comes from the source code alone, everything else
//! is escaped on its way in.

/// A piece of HTML. Literals go in by [`raw`](Html::raw), values by [`text`](Html::text), which
/// escapes them for element content and for quoted attributes alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Html(String);

impl Html {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Markup from the source code; the lifetime keeps values out.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// A value, escaped.
    pub(crate) fn text(&mut self, value: impl AsRef<str>) -> &mut Self {
        for character in value.as_ref().chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Invisible, and able to make a text read as another one.
                '\u{0}'..='\u{8}'
                | '\u{b}'..='\u{1f}'
                | '\u{7f}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {}
                other => self.0.push(other),
            }
        }
        self
    }

    /// A piece that was made the same way.
    pub(crate) fn put(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// `<tag>value</tag>`, the value escaped.
    pub(crate) fn element(&mut self, tag: &'static str, value: impl AsRef<str>) -> &mut Self {
        self.raw("<").raw(tag).raw(">").text(value).raw("</").raw(tag).raw(">")
    }

    /// A link to `href`, the text escaped.
    pub(crate) fn link(&mut self, href: &str, value: impl AsRef<str>) -> &mut Self {
        self.raw("<a href=\"").text(href).raw("\">").text(value).raw("</a>")
    }

    /// A field that the reader does not see.
    pub(crate) fn hidden(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.raw("<input type=\"hidden\" name=\"").raw(name).raw("\" value=\"");
        self.text(value).raw("\">")
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Html;

    #[test]
    fn values_never_become_markup() {
        let mut html = Html::new();
        html.raw("<p title=\"").text("a\"b").raw("\">").text("<script>&'\u{202e}\u{0}").raw("</p>");
        assert_eq!(html.into_string(), "<p title=\"a&quot;b\">&lt;script&gt;&amp;&#39;</p>");
    }
}
