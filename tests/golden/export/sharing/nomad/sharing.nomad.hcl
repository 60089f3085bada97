# pm export: app=sharing format=nomad file=sharing.nomad.hcl
job "sharing" {
  type = "service"

  group "web" {
    count = 2

    network {
      port "http" {
        to = 5000
      }
    }

    task "web" {
      driver = "docker"

      config {
        image   = "registry.example/sharing:1.0"
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
A="1"
PM_COMMAND="exec uvicorn app:app --fd 3"
PM_DATA
      }

      service {
        name     = "sharing-web"
        provider = "nomad"
        port     = "http"
      }

      kill_timeout = "5s"
    }
  }

  group "api" {
    count = 1

    task "api" {
      driver = "docker"

      config {
        image   = "registry.example/sharing:1.0"
        command = "/bin/sh"
        args    = ["-c", "eval \"unset PM_COMMAND PM_CHECK_0; $PM_COMMAND\""]
        init    = true
      }

      env {
        PORT = "5100"
      }

      template {
        destination = "secrets/command.env"
        env         = true
        data        = <<PM_DATA
A="1"
PM_COMMAND="trap 'trap \"\" TERM; kill -TERM 0; wait; exit 143' TERM; {{"{"}} trap \"wait; exit 143\" TERM; cd api && exec gunicorn -b fd://3 api:app\n} & wait $!"
PM_CHECK_0="pm_wait() {{"{"}} pm_end=$(($(date +%s) + $1)); until case $2 in port) bash -c ': <\"/dev/tcp/$1/$0\"' \"$3\" \"{{"$"}}{{"{"}}4:-localhost}\" || nc -z \"{{"$"}}{{"{"}}4:-localhost}\" \"$3\" || python3 -c 'import socket,sys; socket.create_connection((sys.argv[2],int(sys.argv[1])),2)' \"$3\" \"{{"$"}}{{"{"}}4:-localhost}\";; http) if command -v curl; then pm_code=$(curl -s -o /dev/null -m 2 -w '{{"%"}}{{"{"}}http_code}' \"$3\"); elif command -v python3; then pm_code=$(python3 -c 'import http.client,sys; c=http.client.HTTPConnection(sys.argv[1],timeout=2); c.request(\"GET\",sys.argv[2]); print(c.getresponse().status)' \"$5\" \"$6\"); else pm_code=$(wget -S -q -T 2 -O /dev/null \"$3\" 2>&1 | sed -n '/^ *HTTP/{{"{"}}s/^ *HTTP[^ ]* \\([0-9]*\\).*/\\1/p;q;}'); fi; if [ -n \"$4\" ]; then case \" $4 \" in *\" $pm_code \"*) true;; *) false;; esac; else case $pm_code in [23]??) true;; *) false;; esac; fi;; cmd) if command -v timeout; then timeout 5 /bin/sh -c \"$3\"; else /bin/sh -c \"$3\"; fi;; esac >/dev/null 2>&1; do [ -z \"$pm_pid\" ] || kill -0 \"$pm_pid\" 2>/dev/null || {{"{"}} echo \"pm_wait: it has ended\" >&2; return 1; }; [ \"$(date +%s)\" -lt \"$pm_end\" ] || {{"{"}} echo \"pm_wait: not ready: $2 $3\" >&2; return 1; }; sleep 1; done; }; pm_wait 0 cmd 'test -e up' || exit 1"
PM_DATA
      }

      kill_timeout = "5s"
    }
  }

  group "admin" {
    count = 3

    update {
      max_parallel = 1
      canary       = 3
      auto_promote = true
    }

    network {
      port "http" {
        to = 5200
      }
    }

    task "admin" {
      driver = "docker"

      config {
        image   = "registry.example/sharing:1.0"
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
A="1"
PM_COMMAND="exec bin/admin -p $PORT"
PM_DATA
      }

      service {
        name     = "sharing-admin"
        provider = "nomad"
        port     = "http"
      }

      kill_timeout = "5s"
    }
  }
}
