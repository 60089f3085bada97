export const greeting = `Hello from webpack. The API says it is`;
