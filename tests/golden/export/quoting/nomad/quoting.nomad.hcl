# pm export: app=quoting format=nomad file=quoting.nomad.hcl
job "quoting" {
  type = "service"

  group "web" {
    count = 1

    network {
      port "http" {
        to = 5000
      }
    }

    task "web" {
      driver = "docker"

      config {
        image   = "registry.example/quoting:1.0"
        command = "/bin/sh"
        args    = ["-c", "eval \"unset PM_COMMAND; $PM_COMMAND\""]
        init    = true
        ports   = ["http"]
      }

      env {
        PORT = "${NOMAD_PORT_http}"
      }

      template {
        destination = "secrets/command.env"
        env         = true
        data        = <<PM_DATA
BRACES="{{"{"}}{{"{"}} x }} {{"$"}}{{"{"}}A} {{"%"}}{{"{"}}B} $$ $(id) `id`"
EMPTY=""
LINES="one\n two\nend script\n"
PERCENT="100% %n %(x)s %%"
QUOTES="it's \"so\" \\ C:\\dir\\n\\"
SPECIAL=" a ; b # c\t<&>| "
UNICODE="żółć 日本 🎉"
PM_COMMAND="CRLF=$(printf -- 'a\\015\\012b.'); export CRLF=\"{{"$"}}{{"{"}}CRLF%.}\"; exec ./a \"it's\" 100% '$A' \"$B\" \\\\ 'e ; f' '#c' é {{"{"}}{{"{"}}x}} {{"$"}}{{"{"}}C} <&1"
PM_DATA
      }

      service {
        name     = "quoting-web"
        provider = "nomad"
        port     = "http"
      }

      kill_timeout = "5s"
    }
  }
}
