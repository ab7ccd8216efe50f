throw new Error('A file that fails outside its tests');
