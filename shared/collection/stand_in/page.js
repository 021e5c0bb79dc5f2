// The stand-in's pages: what a scraper meets, as told in the facts of the page.
"use strict";
const app = document.getElementById("app");
const [, ...path] = location.pathname.split("/");
const WIDTH = 1280, HEIGHT = 720, COLUMNS = 4, ROWS = 2, BITS = 16;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function ask(url, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(url, options);
  if (answer.status === 401) { show(`<a href="/signin">Log in</a>`); throw new Error("logged out"); }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

function show(html) { app.innerHTML = html; }

function add(parent, html) {
  parent.insertAdjacentHTML("beforeend", html);
  return parent.lastElementChild;
}

function banner(kind) {
  const [id, word] = kind === 0 ? ["onetrust-consent-sdk", "Accept"] : ["snigel-cmp-framework", "Accept all"];
  const box = add(document.body, `<div id="${id}" class="banner"><p>Cookies</p><button>${word}</button></div>`);
  box.querySelector("button").onclick = () => { box.remove(); fetch("/api/cookies", { method: "POST" }); };
}

async function signIn() {
  show(`<form><input name="email"><input name="password" type="password"><button>Log in</button></form>`);
  app.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const [email, password] = app.querySelectorAll("input");
    const answer = await ask("/api/signin", { email: email.value, password: password.value });
    if (answer.ok) location.href = "/"; else add(app, "<p>Wrong e-mail or password</p>");
  };
}

function lobby(kind) {
  show(`<h1>${kind === "battles" ? "Battle Royale: Countries" : "World"}</h1><p>Classic Maps</p><button>Play</button>`);
  app.querySelector("button").onclick = async () => {
    const answer = await ask(`/api/${kind}`, {});
    if (answer.rate_limit) return show("<p>Rate limit reached, try again later</p>");
    location.href = `/${kind === "battles" ? "battle-royale" : "game"}/${answer.id}`;
  };
}

// The view: coarse at first, then tile after tile. In a marked world each sharp tile has a green
// mark, and the number of the place stands in it as a row of blocks, so that a photo tells which
// place it shows.
async function paint(canvas, view) {
  const context = canvas.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  if (view.fault === "blank view") return;
  const picture = new Image();
  picture.src = `/picture/${view.picture}.jpg`;
  await picture.decode();
  const small = Object.assign(document.createElement("canvas"), { width: 32, height: 18 });
  small.getContext("2d").drawImage(picture, 0, 0, 32, 18);
  context.drawImage(small, 0, 0, WIDTH, HEIGHT);
  const sharp = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const inner = sharp.getContext("2d");
  inner.drawImage(picture, 0, 0, WIDTH, HEIGHT);
  const step = WIDTH / BITS, isMarked = view.code !== null;
  for (let bit = 0; isMarked && bit < BITS; bit += 1) {
    inner.fillStyle = view.code & (1 << bit) ? "#fff" : "#000";
    inner.fillRect(bit * step, 400, step, 40);
  }
  const w = WIDTH / COLUMNS, h = HEIGHT / ROWS;
  for (let tile = 0; tile < COLUMNS * ROWS; tile += 1) {
    await pause(view.tile_ms);
    const x = (tile % COLUMNS) * w, y = Math.floor(tile / COLUMNS) * h;
    inner.fillStyle = "#0f0";
    if (isMarked) inner.fillRect(x + 20, y + 20, 16, 16);
    context.drawImage(sharp, x, y, w, h, x, y, w, h);
  }
  for (let turn = 0; view.fault === "restless view"; turn += 1) {
    await pause(60);
    context.fillStyle = `hsl(${turn * 40} 80% 50%)`;
    context.fillRect(300, 200, 600, 300);
  }
}

function scene(view) {
  show(`<p class="hud" style="left:600px; top:300px; z-index:2">Loading location</p>`);
  const canvas = add(app, `<canvas class="mapsConsumerUiSceneCoreScene__canvas" width="${WIDTH}" height="${HEIGHT}"></canvas>`);
  const hint = add(app, `<p class="hud" style="left:200px; top:200px; display:none">You look here</p>`);
  canvas.onmousemove = (event) => {
    // what the page draws for a mouse that is not at its edge is part of the view
    const at = canvas.getContext("2d");
    if (event.clientX > 8) { at.fillStyle = "#f0f"; at.fillRect(event.clientX, event.clientY, 40, 40); }
    hint.style.display = event.clientX > 8 ? "block" : "none";
  };
  return canvas;
}

function guessMap(game, view) {
  const box = add(app, `<div class="guess-map"><div style="height:100%"><div class="tiles"></div><div class="row">
    ${view.mark === 0 ? `<div><button title="Keyboard shortcuts"><img width="12" height="10" alt="" src="/dot.gif"></button></div>` : ""}
    <span>Map data ©2026</span></div></div></div>`);
  const perform = add(app, `<button class="perform" style="display:none">Guess</button>`);
  let openSince = 0, guess = null;
  const map = worldMap(box, box.querySelector(".tiles"));
  box.onmouseenter = () => { box.classList.add("open"); openSince = performance.now(); };
  box.onclick = (event) => {
    const area = box.getBoundingClientRect();
    const edge = Math.min(event.clientX - area.left, area.right - event.clientX,
      event.clientY - area.top, area.bottom - event.clientY);
    if (edge < 40 || performance.now() - openSince < 120 || view.fault === "map is dead") return;
    if (map.wasDragged()) return;
    guess = map.placeAt(event.clientX - area.left, event.clientY - area.top);
    map.pin(guess);
    perform.style.display = "block";
  };
  perform.onclick = async () => {
    await ask(`/api/games/${game}/guess`, guess);
    result(game, await ask(`/api/games/${game}`));
  };
}

async function guessing(game, view) {
  const canvas = scene(view);
  add(app, `<div class="hud" style="left:0; top:0">World</div>`);
  if (view.number) add(app, `<div class="hud" style="right:0; top:0">Round <b>${view.number} / 5</b></div>`);
  guessMap(game, view);
  if (view.fault === "loads for ever") return;
  await pause(view.load_ms);
  app.firstElementChild.remove();
  if (view.banner) banner(view.banner - 1);
  await paint(canvas, view);
}

function marker(parent, game, place) {
  const pin = add(parent, `<button data-qa="correct-location-marker">x</button>`);
  pin.onclick = async () => {
    const told = await ask(`/api/games/${game}/places/${place}`);
    if (told.url) window.open(told.url);
  };
}

function result(game, state) {
  const points = state.points[state.points.length - 1];
  show(`<div class="panel"><h1>${points.toLocaleString("en")} ${points === 1 ? "point" : "points"}</h1></div>`);
  const panel = app.firstElementChild;
  setTimeout(() => {
    if (!state.hidden) marker(panel, game, state.index);
    const next = add(panel, `<button>${state.is_last ? "View results" : "Next"}</button>`);
    next.onclick = async () => {
      await ask(`/api/games/${game}/next`, {});
      play(game, await ask(`/api/games/${game}`));
    };
  }, 30);
}

function results(game, state) {
  const total = state.points.reduce((sum, points) => sum + points, 0);
  const rounds = state.points.map((points, n) => `<li>Round ${n + 1}: ${points.toLocaleString("en")}</li>`);
  show(`<div class="panel"><p>Summary</p><h1>${total.toLocaleString("en")} points</h1><ol>${rounds.join("")}</ol></div>`);
  for (let place = 0; place < 5; place += 1) marker(app.firstElementChild, game, place);
}

function play(game, state) {
  if (state.phase === "guess") guessing(game, state.view);
  else if (state.phase === "result") result(game, state);
  else results(game, state);
}

// Battle Royale: the server's clock decides what is shown.
async function battle(game) {
  let shown = "", isWatching = false, isOut = false;
  const sheets = document.styleSheets.length;
  new MutationObserver(() => {
    const n = document.querySelectorAll("style, link").length + document.adoptedStyleSheets.length;
    if (n > sheets) fetch("/api/ban", { method: "POST" });
  }).observe(document, { childList: true, subtree: true });
  for (;;) {
    const state = await ask(`/api/battles/${game}`);
    isOut = isOut || state.number > 1 || state.phase === "answer" || state.phase === "over";
    const now = `${state.phase} ${state.number} ${isOut && !isWatching}`;
    if (now !== shown) battleScreen(state, isOut && !isWatching, () => { isWatching = true; });
    const clock = document.getElementById("clock");
    if (clock) clock.textContent = state.left.toFixed(1);
    shown = now;
    if (state.phase === "over") return;
    await pause(80);
  }
}

function battleScreen(state, isOut, watch) {
  if (state.phase === "over") return show("<div class=panel><p>Game over</p></div>");
  if (state.phase === "starting") return show(`<div class=panel><p>Game starting in <b id=clock></b></p></div>`);
  if (state.phase === "answer") {
    show(`<div class=panel><p>${state.sentence}</p><p>Next round starts in <b id=clock></b></p></div>`);
  } else if (!isOut) {
    const canvas = scene(state.view);
    add(app, `<div class="hud" style="left:0; top:0" id="clock"></div>`);
    if (state.view.number) add(app, `<div class="hud" style="right:0; top:0">Round ${state.view.number} / 9</div>`);
    setTimeout(() => { app.firstElementChild.remove(); paint(canvas, state.view); }, state.view.load_ms);
  } else show("<div class=panel><p>You are out</p></div>");
  if (isOut) add(app.firstElementChild, "<button>Spectate</button>").onclick = (event) => {
    watch();
    event.target.remove();
  };
}

async function main() {
  const me = await ask("/api/me");
  if (me.banner) banner(me.banner - 1);
  if (path[0] === "signin") return signIn();
  if (!me.name) return show(`<a href="/signin">Log in</a>`);
  if (path[0] === "maps") return lobby("games");
  if (path[0] === "multiplayer") return lobby("battles");
  if (path[0] === "battle-royale") return battle(path[1]);
  if (path[0] === "results") return results(path[1], await ask(`/api/games/${path[1]}`));
  if (path[0] === "game") return play(path[1], await ask(`/api/games/${path[1]}`));
  return show(`<h1>Home</h1><a href="/maps/world">Play</a>`);
}
main();
