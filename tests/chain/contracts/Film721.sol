// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

// Anyone mints and burns: what a test needs of a collection, on OpenZeppelin's own ERC-721.
contract Film721 is ERC721("Film", "FILM") {
    function mint(address to, uint256 id) external {
        _mint(to, id);
    }

    function mintMany(address to, uint256 first, uint256 count) external {
        for (uint256 i = 0; i < count; i++) _mint(to, first + i);
    }

    function burn(uint256 id) external {
        _burn(id);
    }

    // By whoever asks, so that a test needs no approvals; twice in one transaction where it likes.
    function move(address to, uint256 id) external {
        _update(to, id, address(0));
    }

    function moveTwice(address through, address to, uint256 id) external {
        _update(through, id, address(0));
        _update(to, id, address(0));
    }

    // ownerOf() that does not revert where there is none.
    function ownerOrZero(uint256 id) external view returns (address) {
        return _ownerOf(id);
    }
}
