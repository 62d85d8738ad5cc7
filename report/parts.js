// Small helpers for the document: find an element, make one, put off work to the next frame.
// In: ids, names, functions. Out: elements whose text is set as text. Not here: anything about maps.

"use strict";

const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

// A function that runs `work` once in the next frame, however often it is called before.
function oncePerFrame(work) {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      work();
    });
  };
}
