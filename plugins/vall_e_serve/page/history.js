// Takes of late, kept in this browser (IndexedDB).

const NAME = "vall-e";
const STORE = "takes";
const MOST = 50;

function opened() {
  return new Promise((done, fail) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: "id" }).createIndex("created", "created");
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });
}

async function within(mode, work) {
  const database = await opened();
  try {
    return await new Promise((done, fail) => {
      const transaction = database.transaction(STORE, mode);
      const asked = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => done(asked.result);
      transaction.onerror = () => fail(transaction.error);
      transaction.onabort = () => fail(transaction.error);
    });
  } finally {
    database.close();
  }
}

/** All that is kept, the latest first. */
export async function all() {
  const found = await within("readonly", (store) => store.index("created").getAll());
  return found.reverse();
}

/** Keeps a take; the oldest go. */
export async function keep(entry) {
  await within("readwrite", (store) => store.put(entry));
  for (const each of (await all()).slice(MOST)) await remove(each.id);
}

export const remove = (id) => within("readwrite", (store) => store.delete(id));

export const clear = () => within("readwrite", (store) => store.clear());
