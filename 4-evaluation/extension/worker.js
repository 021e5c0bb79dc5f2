// The extension's service worker. It acts when its button is clicked, on a single-player round:
// takes a picture of the view, and asks the predictor on this machine. Nothing else is looked at.
import { SITE, isSinglePlayer } from "./site.js";

const QUALITY = 0.9; // of the JPEG
const LOOKS = 20, BETWEEN_MS = 150; // until the page has its size beside the panel
const PATIENCE_MS = 30000;
const NOT_A_ROUND = "This is not the page of a single-player round, so nothing was looked at. " +
  "The extension does nothing in multiplayer, rated or challenge games.";
let isBusy = false;

chrome.action.onClicked.addListener((tab) => {
  chrome.sidePanel.open({ tabId: tab.id }).catch(() => undefined); // the panel may be open already
  if (!isBusy) void answer(tab);
});

async function answer(tab) {
  isBusy = true;
  try {
    await show({ kind: "asking" });
    const photo = isSinglePlayer(tab.url) ? await takePhoto(tab) : null;
    await show(photo ? await ask(photo) : { kind: "refused", text: NOT_A_ROUND });
  } catch (error) {
    await show({ kind: "error", text: String(error.message ?? error) });
  } finally {
    isBusy = false;
  }
}

async function show(state) {
  await chrome.storage.session.set({ state });
}

// A JPEG of the view alone, or null where the page does not show a single-player round.
async function takePhoto(tab) {
  const target = { tabId: tab.id };
  const before = await settled(target);
  if (!before.isRound) return null;
  const css = { target, css: SITE.hidden, origin: "USER" };
  await chrome.scripting.insertCSS(css);
  let picture;
  try {
    await chrome.scripting.executeScript({ target, func: twoFrames });
    picture = await chrome.tabs.captureVisibleTab(tab.windowId, { format: "png" });
  } finally {
    await chrome.scripting.removeCSS(css);
  }
  // the page may have changed meanwhile: the picture of another one is dropped
  const now = await chrome.tabs.get(tab.id);
  const after = await look(target);
  const isSame = now.active && now.url === tab.url && JSON.stringify(after) === JSON.stringify(before);
  return isSame ? crop(picture, before) : null;
}

async function look(target) {
  const [found] = await chrome.scripting.executeScript({ target, func: roundOnPage, args: [SITE] });
  return found.result;
}

// What the page shows, once it is the same twice: the panel that opens makes it narrower.
async function settled(target) {
  let before = await look(target);
  for (let n = 0; n < LOOKS; n += 1) {
    await new Promise((done) => setTimeout(done, BETWEEN_MS));
    const now = await look(target);
    if (JSON.stringify(now) === JSON.stringify(before)) return now;
    before = now;
  }
  return { isRound: false };
}

// Runs in the page and only reads: whether it shows a round of one player, and where its view is.
function roundOnPage(site) {
  const view = document.querySelector(site.canvas);
  const text = document.body.innerText;
  const isOne = new RegExp(site.roundShown).test(text) && !site.ofPeople.some((words) => text.includes(words));
  if (!view || !isOne || text.includes(site.loading)) return { isRound: false };
  const { left, top, width, height } = view.getBoundingClientRect();
  return { isRound: width > 0 && height > 0, left, top, width, height, page: innerWidth };
}

function twoFrames() {
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))));
}

async function crop(picture, area) {
  const whole = await createImageBitmap(await (await fetch(picture)).blob());
  const scale = whole.width / area.page; // pixels of the picture for one of the page
  const left = Math.max(0, area.left * scale), top = Math.max(0, area.top * scale);
  const width = Math.min(area.width * scale, whole.width - left);
  const height = Math.min(area.height * scale, whole.height - top);
  const canvas = new OffscreenCanvas(Math.round(width), Math.round(height));
  canvas.getContext("2d").drawImage(whole, left, top, width, height, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
}

async function ask(photo) {
  const { service } = await chrome.storage.local.get("service");
  if (!service) {
    return { kind: "error", text: "Start the predictor, and paste its address into the options." };
  }
  let response;
  try {
    response = await fetch(`http://127.0.0.1:${service.port}/predict`, {
      method: "POST",
      body: photo,
      headers: { "Content-Type": "image/jpeg", Authorization: `Bearer ${service.token}` },
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    return { kind: "error", text: "The predictor does not answer. Is it running, on this port?" };
  }
  const told = await response.json();
  return response.ok ? { kind: "answer", ...told } : { kind: "error", text: told.error };
}
