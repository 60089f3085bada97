// What server.c does under load, as one writes it with node. GET /N, POST /ID.
const fs = require('fs')
const http = require('http')

const server = http.createServer((request, response) => {
  const path = request.url.slice(1)
  if (request.method === 'GET') {
    const n = Number(path)
    const body = Buffer.from('0123456789abcdef'.repeat(n / 16 + 2)).subarray(n % 16, n % 16 + n)
    if (n % 2 === 0) return response.end(body)
    response.write(body.subarray(0, n >> 1))
    return response.end(body.subarray(n >> 1))
  }
  const parts = []
  request.on('data', part => parts.push(part))
  request.on('end', () => {
    fs.appendFileSync('posts', path + '\n')
    response.end(Buffer.concat(parts))
  })
})
server.listen(process.env.PORT, '127.0.0.1')
if (process.env.DIES !== '1') process.on('SIGTERM', () => server.close())
