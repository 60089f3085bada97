# pm export: app=stack format=nomad file=stack.nomad.hcl
job "stack" {
  type = "service"

  group "redis" {
    count = 1

    task "redis" {
      driver = "docker"

      config {
        image   = "registry.example/stack:1.0"
        command = "/bin/sh"
        args    = ["-c", "eval \"unset PM_COMMAND; $PM_COMMAND\""]
        init    = true
      }

      env {
        PORT = "5000"
      }

      template {
        destination = "secrets/command.env"
        env         = true
        data        = <<PM_DATA
REDIS_URL="redis://localhost:6379/0"
PM_COMMAND="exec redis-server --port 6379"
PM_DATA
      }

      kill_timeout = "5s"
    }
  }

  group "migrate" {
    count = 1

    task "migrate" {
      driver = "docker"

      config {
        image   = "registry.example/stack:1.0"
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
REDIS_URL="redis://localhost:6379/0"
PM_COMMAND="exec bin/migrate up"
PM_DATA
      }

      kill_timeout = "5s"
    }
  }

  group "api" {
    count = 2

    network {
      port "http" {
        to = 5200
      }
    }

    service {
      name     = "stack-api"
      provider = "nomad"
      port     = "http"

      check {
        type     = "http"
        path     = "/up?q='$5%25'"
        interval = "10s"
        timeout  = "2s"
      }

      check {
        type     = "http"
        path     = "/up"
        interval = "10s"
        timeout  = "2s"

        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    task "api" {
      driver = "docker"

      config {
        image   = "registry.example/stack:1.0"
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
REDIS_URL="redis://localhost:6379/0"
PM_COMMAND="exec bin/api --port $PORT"
PM_DATA
      }

      kill_timeout = "5s"
    }
  }

  group "worker" {
    count = 1

    task "worker" {
      driver = "docker"

      config {
        image   = "registry.example/stack:1.0"
        command = "/bin/sh"
        args    = ["-c", "eval \"unset PM_COMMAND; $PM_COMMAND\""]
        init    = true
      }

      env {
        PORT = "5300"
      }

      template {
        destination = "secrets/command.env"
        env         = true
        data        = <<PM_DATA
REDIS_URL="redis://localhost:6379/0"
PM_COMMAND="exec bin/worker"
PM_DATA
      }

      kill_timeout = "5s"
    }
  }

  group "web" {
    count = 1

    network {
      port "http" {
        to = 5400
      }
    }

    service {
      name     = "stack-web"
      provider = "nomad"
      port     = "http"
    }

    task "web" {
      driver = "docker"

      config {
        image   = "registry.example/stack:1.0"
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
REDIS_URL="redis://localhost:6379/0"
PM_COMMAND="exec bin/web -p $PORT"
PM_DATA
      }

      kill_timeout = "5s"
    }
  }
}
