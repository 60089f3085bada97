# pm export: app=compound format=nomad file=compound.nomad.hcl
job "compound" {
  type = "service"

  group "web" {
    count = 1

    network {
      port "http" {
        to = 5100
      }
    }

    task "web" {
      driver = "docker"

      config {
        image   = "registry.example/compound:1.0"
        command = "/bin/sh"
        args    = ["-c", "eval \"unset PM_COMMAND; $PM_COMMAND\""]
        init    = true
        ports   = ["http"]
      }

      env {
        PORT = "${NOMAD_PORT_http}"
      }

      template {
        destination = "secrets/values.env"
        env         = true
        data        = file("/srv/export/compound.env")
      }

      template {
        destination = "secrets/command.env"
        env         = true
        data        = <<PM_DATA
PM_COMMAND="trap 'trap \"\" TERM; kill -TERM 0; wait; exit 143' TERM; {{"{"}} trap \"wait; exit 143\" TERM; cd public && ../serve -p $PORT | tee log # all\n} & wait $!"
PM_DATA
      }

      service {
        name     = "compound-web"
        provider = "nomad"
        port     = "http"
      }

      kill_timeout = "5s"
    }
  }

  group "Clock_1" {
    count = 1

    task "Clock_1" {
      driver = "docker"

      config {
        image   = "registry.example/compound:1.0"
        command = "/bin/sh"
        args    = ["-c", "eval \"unset PM_COMMAND; $PM_COMMAND\""]
        init    = true
      }

      env {
        PORT = "5200"
      }

      template {
        destination = "secrets/values.env"
        env         = true
        data        = file("/srv/export/compound.env")
      }

      template {
        destination = "secrets/command.env"
        env         = true
        data        = <<PM_DATA
PM_COMMAND="TZ=UTC exec ./clock"
PM_DATA
      }

      kill_timeout = "5s"
    }
  }
}
