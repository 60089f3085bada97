import { greeting } from './greeting.js';

const show = async () => {
  const { time } = await (await fetch('/api/time')).json();
  document.querySelector('#greeting').textContent = `${greeting} ${time}`;
};

show();
