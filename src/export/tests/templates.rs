//! Templates that replace built-in ones.

use std::path::Path;

use super::cluster;
use crate::export::formats::systemd;
use crate::export::render;

#[test]
fn a_template_of_ones_own_replaces_one_file() {
    let (app, mut options) = cluster();
    let own =
        "# {{ marker }}\n[Service]\nExecStart={{ command }}\nX={{ raw.folder | systemd_path }}\n";
    options.templates.insert("service.j2".into(), own.into());
    let files = render(&systemd::FORMAT, &app, &options).unwrap();
    let unit = files.iter().find(|file| file.path == Path::new("cluster-web-1.service")).unwrap();
    let expected = "# pm export: app=cluster format=systemd file=cluster-web-1.service\n[Service]\n\
                    ExecStart=\"exec node --max-http-header-size=16384 server.js\"\nX=/srv/cluster\n";
    assert_eq!(unit.contents, expected);
    assert!(
        files.iter().any(|file| file.contents.contains("[Install]\nWantedBy=multi-user.target"))
    );
}

#[test]
fn a_template_with_an_unknown_name_or_without_the_marker_is_refused() {
    let (app, mut options) = cluster();
    options.templates.insert("service.j2".into(), "# {{ marker }}\n{{ nonsense }}\n".into());
    let refusal = render(&systemd::FORMAT, &app, &options).unwrap_err().to_string();
    assert_eq!(refusal, "cannot render the template `service.j2` of systemd");
    options.templates.insert("service.j2".into(), "[Service]\n".into());
    let refusal = render(&systemd::FORMAT, &app, &options).unwrap_err().to_string();
    assert_eq!(refusal, "the template of `cluster-web-1.service` does not write the marker line");
}
