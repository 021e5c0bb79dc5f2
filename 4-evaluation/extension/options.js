// Where the predictor is: a port of this machine, and the token that it printed.
const ADDRESS = /^http:\/\/127\.0\.0\.1:(\d{1,5})\/#([A-Za-z0-9_-]{16,64})$/;
const input = document.getElementById("address"), said = document.getElementById("said");

chrome.storage.local.get("service").then(({ service }) => {
  if (service) input.value = `http://127.0.0.1:${service.port}/#${service.token}`;
});

document.querySelector("form").onsubmit = async (event) => {
  event.preventDefault();
  const found = ADDRESS.exec(input.value.trim());
  if (found) await chrome.storage.local.set({ service: { port: Number(found[1]), token: found[2] } });
  said.textContent = found ? "Saved." : "Expected http://127.0.0.1:<port>/#<token>, as it was printed.";
};
