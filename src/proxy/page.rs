//! What the front itself answers: that a request is refused, that nobody serves it, and why.

use super::FrontFailure;

/// How many of the last lines a page shows.
const LINES: usize = 20;

/// Who sees a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageView {
    /// Understands HTML.
    pub is_html: bool,
    /// May see what the application has written.
    pub shows_lines: bool,
    /// The answer has no body, as HEAD wants it.
    pub is_head: bool,
}

/// Why the front answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageReason<'failure> {
    /// 400: the request is malformed, in these words.
    Malformed(&'static str),
    /// 502: the instance has ended the connection without an answer, or what it has sent is none.
    BadAnswer(&'static str),
    /// 503: all instances have failed for good.
    Failed(&'failure FrontFailure),
    /// 503: no instance answered in time; for this reason, if the session has said one.
    NotReady(Option<&'failure FrontFailure>),
    /// 503: no instance is ready yet, and the client, which has ended its side, is waited for no longer.
    Left,
}

impl PageReason<'_> {
    /// The status code of the answer.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::BadAnswer(_) => 502,
            Self::Failed(_) | Self::NotReady(_) | Self::Left => 503,
        }
    }
}

/// Returns a whole answer. `name` is the process type. The connection ends behind it unless `keeps` is set.
#[must_use]
pub fn page(name: &str, reason: PageReason<'_>, view: PageView, keeps: bool) -> Vec<u8> {
    let status = reason.status();
    let phrase = match status {
        400 => "Bad Request",
        502 => "Bad Gateway",
        _ => "Service Unavailable",
    };
    let (text, lines) = words(name, reason, view.shows_lines);
    let reloads = status == 503;
    let body = if view.is_html { html(&text, lines, reloads) } else { plain(&text, lines) };
    let kind = if view.is_html { "text/html" } else { "text/plain" };
    let retry = if reloads { "Retry-After: 1\r\n" } else { "" };
    let connection = if keeps { "" } else { "Connection: close\r\n" };
    let mut answer = format!(
        "HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\n{retry}{connection}\r\n",
        body.len(),
    )
    .into_bytes();
    if !view.is_head {
        answer.extend_from_slice(body.as_bytes());
    }
    answer
}

/// Returns the sentence of a page, and the lines below it.
fn words<'failure>(
    name: &str,
    reason: PageReason<'failure>,
    shows_lines: bool,
) -> (String, &'failure [String]) {
    let last = |failure: &'failure FrontFailure| {
        let lines = if shows_lines { failure.lines.as_slice() } else { &[] };
        &lines[lines.len().saturating_sub(LINES)..]
    };
    match reason {
        PageReason::Malformed(why) => (format!("400: {why}"), &[]),
        PageReason::BadAnswer(why) => (format!("502: {name}: {why}"), &[]),
        PageReason::NotReady(None) => (format!("503: no instance of {name} is ready"), &[]),
        PageReason::NotReady(Some(failure)) => {
            let FrontFailure { cause, .. } = failure;
            (format!("503: no instance of {name} is ready: {cause}"), last(failure))
        }
        PageReason::Left => {
            let why = "and the client has ended its side: nobody was asked";
            (format!("503: no instance of {name} is ready, {why}"), &[])
        }
        PageReason::Failed(failure) => (format!("503: {}", failure.cause), last(failure)),
    }
}

fn plain(text: &str, lines: &[String]) -> String {
    let mut body = format!("{text}\n");
    for (at, line) in lines.iter().enumerate() {
        if at == 0 {
            body.push('\n');
        }
        body.push_str(line);
        body.push('\n');
    }
    body
}

/// Returns the page as HTML; with `reloads` it asks again each second.
fn html(text: &str, lines: &[String], reloads: bool) -> String {
    let refresh = if reloads { "<meta http-equiv=\"refresh\" content=\"1\">" } else { "" };
    let text = escaped(text);
    let lines: String = lines.iter().map(|line| escaped(line) + "\n").collect();
    let shown = if lines.is_empty() { String::new() } else { format!("<pre>{lines}</pre>") };
    format!(
        "<!doctype html><html><head><meta charset=\"utf-8\">{refresh}<title>{text}</title>\
         <style>body{{font-family:sans-serif;margin:2em}}</style></head><body><p>{text}</p>{shown}</body></html>\n"
    )
}

/// Escapes what HTML would read as markup, in text and in attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: PageView = PageView { is_html: false, shows_lines: true, is_head: false };

    fn failed() -> FrontFailure {
        let lines =
            (1..=30).map(|line| format!("line-{line:02} <script>alert('&')</script>")).collect();
        FrontFailure { cause: "web.1 failed: exited with code 73".into(), lines }
    }

    fn shown(reason: PageReason<'_>, view: PageView) -> String {
        String::from_utf8(page("web", reason, view, false)).unwrap()
    }

    #[test]
    fn the_page_has_cause_and_the_last_twenty_lines() {
        let text = shown(PageReason::Failed(&failed()), TEXT);
        assert!(
            text.starts_with("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain;"),
            "{text}"
        );
        assert!(text.contains("\r\nRetry-After: 1\r\n"), "{text}");
        assert!(
            text.contains("\r\n\r\n503: web.1 failed: exited with code 73\n\nline-11 <script>"),
            "{text}"
        );
        assert!(text.contains("line-30") && !text.contains("line-10"), "{text}");
    }

    #[test]
    fn who_is_not_ready_is_said_with_the_lines_that_a_local_name_sees() {
        let why = FrontFailure { cause: "web.1 is starting: http:/up 500".into(), ..failed() };
        let text = shown(PageReason::NotReady(Some(&why)), TEXT);
        let expected =
            "\r\n\r\n503: no instance of web is ready: web.1 is starting: http:/up 500\n\nline-11 ";
        assert!(text.contains(expected) && text.contains("Retry-After: 1\r\n"), "{text}");
        let stranger = PageView { shows_lines: false, ..TEXT };
        assert!(!shown(PageReason::NotReady(Some(&why)), stranger).contains("line-"));
    }

    #[test]
    fn html_reloads_itself_and_no_line_breaks_out_of_it() {
        let text = shown(PageReason::Failed(&failed()), PageView { is_html: true, ..TEXT });
        assert!(
            text.contains("Content-Type: text/html;") && text.contains("http-equiv=\"refresh\""),
            "{text}"
        );
        assert!(text.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"), "{text}");
        assert!(!text.contains("<script"), "{text}");
    }

    #[test]
    fn a_stranger_sees_no_line() {
        let text = shown(PageReason::Failed(&failed()), PageView { shows_lines: false, ..TEXT });
        assert!(text.contains("code 73") && !text.contains("line-"), "{text}");
    }

    #[test]
    fn the_answer_to_head_has_the_length_and_no_body() {
        let text = shown(PageReason::NotReady(None), PageView { is_head: true, ..TEXT });
        assert!(text.contains("Content-Length: 33\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        let with_body = shown(PageReason::NotReady(None), TEXT);
        assert_eq!(with_body.len(), text.len() + 33, "{with_body}");
    }

    #[test]
    fn only_a_page_that_may_change_reloads() {
        let text = shown(PageReason::Malformed("no Host"), PageView { is_html: true, ..TEXT });
        assert!(
            text.starts_with("HTTP/1.1 400 Bad Request\r\n") && text.contains("no Host"),
            "{text}"
        );
        assert!(!text.contains("refresh") && !text.contains("Retry-After"), "{text}");
    }
}
