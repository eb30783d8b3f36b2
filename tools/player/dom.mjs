// What the pages share.
export const el = (id) => document.getElementById(id);
export const show = (id, text) => {
  if (el(id).textContent !== String(text)) el(id).textContent = text; // or it is read out again
};

// What the viewer has to know of what went wrong; null: nothing does.
export function fault(words) {
  show('problem', words ?? '');
  el('problem').hidden = !words;
}

// To the clipboard; where the browser forbids that, the field is selected to be copied by hand.
export async function copyOf(field) {
  field.select();
  await navigator.clipboard?.writeText(field.value).catch(() => {});
}
