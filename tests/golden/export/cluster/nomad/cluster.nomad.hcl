# pm export: app=cluster format=nomad file=cluster.nomad.hcl
job "cluster" {
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
        image   = "registry.example/cluster:1.0"
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
NODE_ENV="production"
REDIS_URL="redis://:p@h/0"
WEB_CONCURRENCY="2"
PM_COMMAND="exec node --max-http-header-size=16384 server.js"
PM_DATA
      }

      resources {
        memory = 512
      }

      service {
        name     = "cluster-web"
        provider = "nomad"
        port     = "http"
      }

      kill_timeout = "5s"
    }
  }

  group "worker" {
    count = 1

    task "worker" {
      driver = "docker"

      config {
        image   = "registry.example/cluster:1.0"
        command = "/bin/sh"
        args    = ["-c", "eval \"unset PM_COMMAND; $PM_COMMAND\""]
        init    = true
      }

      env {
        PORT = "5100"
      }

      template {
        destination = "secrets/command.env"
        env         = true
        data        = <<PM_DATA
NODE_ENV="production"
REDIS_URL="redis://:p@h/0"
PM_COMMAND="cd 'jobs' && exec node worker.js"
PM_DATA
      }

      kill_signal  = "SIGINT"

      kill_timeout = "30s"
    }
  }
}
